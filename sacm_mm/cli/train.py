"""``sacm train``."""

import argparse

from sacm_mm.cli.common import add_common_arguments, use_local_rank

HELP = 'train a config: segmentation, classification, depth'
EPILOG = 'example: sacm train sacm_camvid_light.py --fast'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        'config', help='config file, or the name of one of ours (sacm_voc.py); or a work dir'
    )
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
        metavar='CHECKPOINT',
        help='go on from a checkpoint, by default the newest in the work dir',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU',
    )
    parser.add_argument(
        '--fast',
        action='store_true',
        help='what trains fastest on this machine, mixed precision included; prints what it picks',
    )
    parser.add_argument(
        '--backbone', metavar='NAME', help='put another backbone in first, see sacm swap'
    )


def run(args: argparse.Namespace) -> None:
    """Train."""
    use_local_rank(args)
    from sacm_mm.apis.train import train

    train(
        args.config,
        work_dir=args.work_dir,
        options=args.cfg_options,
        backbone=args.backbone,
        resume=args.resume,
        amp=args.amp,
        fast=args.fast,
        launcher=args.launcher,
    )
