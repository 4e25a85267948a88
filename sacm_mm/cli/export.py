"""``sacm export``."""

import argparse
from typing import Any

HELP = 'write a trained model as ONNX or a torch.export package, checked against the checkpoint'
EPILOG = 'example: sacm export sacm_camvid_light.py weights.pth --out camvid.onnx'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument('config', help='config file, or the name of one of ours')
    parser.add_argument('checkpoint', help='checkpoint file, or a work dir for its newest one')
    parser.add_argument('--out', required=True, help='file to write, .onnx or .pt2')
    parser.add_argument(
        '--end-to-end',
        action='store_true',
        help='take pixels (N, H, W, 3), uint8, and give classes (N, H, W), uint8, or scores, and '
        'metres; by default normalized images (N, 3, H, W) to logits and metres',
    )


def run(args: argparse.Namespace) -> None:
    """Export, check and print how far the file is from the model."""
    from sacm_mm.core.configs import load_config

    cfg = load_config(args.config)

    from sacm_mm.apis.models import load_model
    from sacm_mm.core.machine import stamp
    from sacm_mm.deploy.exporting import export

    model: Any
    model, dataset_meta = load_model(cfg, args.checkpoint)
    meta = {
        'config': args.config,
        'classes': dataset_meta.get('classes'),
        'colours': 'RGB' if model.data_preprocessor._channel_conversion else 'BGR',
        'stamp': stamp(),
    }
    for name, difference in export(model, args.out, args.end_to_end, meta).items():
        print(f'{name}: differs from the checkpoint by at most {difference:.1e}')
    print(args.out)
