#!/usr/bin/env python
"""Evaluate a checkpoint of a config, whatever its task, with mmengine's Runner."""

import argparse

from sacm_mm.cli.common import add_common_arguments, run_tool
from sacm_mm.core.configs import load_config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument(
        'checkpoint',
        help='checkpoint file, or a work dir for its latest one; or a file of tools/export.py',
    )
    parser.add_argument(
        '--runtime', help='what runs a .onnx file: onnxruntime or openvino (default: the first)'
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation of the config')
    parser.add_argument(
        '--out',
        help='save predictions: a folder of masks (segmentation), of depth in millimetres, or a '
        '.pkl (classification)',
    )
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', help='save painted predictions in this folder')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds that --show waits')
    parser.add_argument(
        '--grid', help='save a picture grid, image | truth | prediction, to this PNG'
    )
    args = parser.parse_args()
    cfg = load_config(args.config, args.cfg_options)

    from sacm_mm.launch import build_runner, prepare_test

    prepare_test(cfg, args)
    build_runner(cfg, ('test_dataloader',)).test()
    if args.grid:
        print(args.grid)


if __name__ == '__main__':
    run_tool(main)
