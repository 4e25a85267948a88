#!/usr/bin/env python
"""Write a trained model as ONNX or a torch.export package, checked against the checkpoint.

Example: python tools/export.py sacm_camvid_light.py weights.pth --out camvid.onnx
"""

import argparse

from sacm_mm.cli.common import run_tool
from sacm_mm.core.configs import load_config


def main() -> None:
    """Export, check and print how far the file is from the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file, or the name of one of this package')
    parser.add_argument('checkpoint', help='checkpoint file, or a work dir for its latest one')
    parser.add_argument('--out', required=True, help='file to write, .onnx or .pt2')
    parser.add_argument(
        '--end-to-end',
        action='store_true',
        help='take pixels (N, H, W, 3), uint8, and give classes (N, H, W), uint8, or scores, and '
        'metres; by default normalized images (N, 3, H, W) to logits and metres',
    )
    args = parser.parse_args()
    cfg = load_config(args.config, [])

    from sacm_mm.core.machine import stamp
    from sacm_mm.deploy.exporting import export
    from sacm_mm.inference import load_model

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


if __name__ == '__main__':
    run_tool(main)
