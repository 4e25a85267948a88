#!/usr/bin/env python
"""Draw what a model sees: classes as an overlay, depth with its scale, or the top five classes."""

import argparse
from pathlib import Path

from rich.progress import track

from sacm_mm.cli.common import run_tool
from sacm_mm.core.configs import load_config
from sacm_mm.core.files import check_writable


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', type=Path, help='image, folder of images, or video')
    parser.add_argument('config', help='config file, or the name of one of this package')
    parser.add_argument(
        'checkpoint',
        help='checkpoint file, or a work dir for its latest one; or a file of tools/export.py',
    )
    parser.add_argument('--out', type=Path, default=Path('demo'), help='folder of the pictures')
    parser.add_argument('--device', help='torch device (default: cuda:0 where there is one)')
    parser.add_argument(
        '--runtime', help='what runs a .onnx file: onnxruntime or openvino (default: the first)'
    )
    return parser.parse_args()


def main() -> None:
    """Draw every image or frame."""
    args = parse_args()
    cfg = load_config(args.config, [])

    import torch

    from sacm_mm.demo import VIDEO_SUFFIXES, draw_image, draw_video, find_inputs
    from sacm_mm.inference import load_predictor

    sources = find_inputs(args.source)
    check_writable(args.out)
    device = args.device or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    predictor = load_predictor(cfg, args.checkpoint, device, args.runtime)
    args.out.mkdir(parents=True, exist_ok=True)
    if sources[0].suffix.lower() in VIDEO_SUFFIXES:
        print(draw_video(predictor, sources[0], args.out, track))
        return
    for source in track(sources, 'images') if len(sources) > 1 else sources:
        print(draw_image(predictor, source, args.out))


if __name__ == '__main__':
    run_tool(main)
