#!/usr/bin/env python
"""Train a segmentation or classification config with mmengine's Runner."""

import argparse

from sacm_mm.cli.common import add_common_arguments, run_tool
from sacm_mm.core.configs import load_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint, by default the latest in the work dir',
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
        '--backbone',
        metavar='NAME',
        help='put another backbone in first, see tools/swap_backbone.py',
    )
    args = parser.parse_args()
    cfg = load_config(args.config, args.cfg_options)
    if args.backbone:
        from sacm_mm.swap import swap_for_training

        cfg = swap_for_training(cfg, args.backbone)

    from sacm_mm.launch import build_runner, prepare_train

    prepare_train(cfg, args)
    build_runner(cfg, ('train_dataloader', 'val_dataloader')).train()


if __name__ == '__main__':
    run_tool(main)
