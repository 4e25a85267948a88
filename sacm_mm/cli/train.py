"""``sacm train``."""

import argparse

from sacm_mm.cli.common import (
    add_common_arguments,
    flags_of,
    imports_kept,
    positive,
    use_local_rank,
)

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
        '--overwrite', action='store_true', help='remove the checkpoints of another run there'
    )
    parser.add_argument(
        '--weights',
        metavar='MODEL',
        help='start from another training: camvid_light, a work dir, a file; other classes and '
        'channels are fitted',
    )
    parser.add_argument(
        '--minutes', type=float, help='fit steps and schedule into this time; says what it chose'
    )
    parser.add_argument('--ema', action='store_true', help='running average of the weights')
    parser.add_argument(
        '--accumulate',
        type=positive,
        default=1,
        metavar='N',
        help='batches summed up in a step',
    )
    parser.add_argument(
        '--patience',
        type=positive,
        metavar='N',
        help='stop after N validations without a better figure',
    )
    parser.add_argument(
        '--balanced', action='store_true', help='draw pictures with rare classes more often'
    )
    parser.add_argument(
        '--folds', type=positive, metavar='N', help='divide the data of sacm data into N folds'
    )
    parser.add_argument(
        '--fold', type=positive, metavar='K', help='the one to validate on; the others train'
    )
    parser.add_argument(
        '--logger',
        dest='loggers',
        nargs='+',
        default=[],
        metavar='NAME',
        help='tensorboard, wandb, mlflow',
    )
    parser.add_argument(
        '--trust', action='store_true', help='take checkpoints that run code, of makers you know'
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU that has it',
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

    with imports_kept():
        train(**flags_of(args, 'local_rank'))
