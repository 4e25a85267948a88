"""``sacm predict``."""

import argparse
from pathlib import Path

HELP = 'draw what a model sees: classes as an overlay, depth with its scale, the top five classes'
EPILOG = 'example: sacm predict photos sacm_camvid_light.py work_dirs/sacm_camvid_light'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument('source', type=Path, help='image, folder of images, or video')
    parser.add_argument('config', help='config file, or the name of one of ours')
    parser.add_argument(
        'checkpoint',
        help='checkpoint file, or a work dir for its newest one; or a file of sacm export',
    )
    parser.add_argument('--out', type=Path, default=Path('demo'), help='folder of the pictures')
    parser.add_argument('--device', help='torch device (default: cuda:0 where there is one)')
    parser.add_argument(
        '--runtime', help='what runs a .onnx file: onnxruntime or openvino (default: the first)'
    )
    parser.add_argument('--trust', action='store_true', help='take files that can run code: .pt2')


def run(args: argparse.Namespace) -> None:
    """Draw every image or frame."""
    from sacm_mm.core.configs import load_config

    cfg = load_config(args.config)

    from rich.progress import track

    from sacm_mm.apis.predict import predict_files

    for path in predict_files(
        args.source,
        cfg,
        args.checkpoint,
        args.out,
        args.device,
        args.runtime,
        args.trust,
        track,
    ):
        print(path)
