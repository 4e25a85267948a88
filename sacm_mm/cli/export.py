"""``sacm export``."""

import argparse

from sacm_mm.cli.common import add_model

HELP = 'write a trained model as ONNX, OpenVINO IR or a torch.export package, checked'
EPILOG = 'example: sacm export work_dirs/mine --out mine.onnx'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_model(parser)
    parser.add_argument('--out', required=True, help='file to write: .onnx, .xml or .pt2')
    parser.add_argument(
        '--end-to-end',
        action='store_true',
        help='take pixels (N, H, W, C), uint8, and give classes (N, H, W), uint8, or scores, and '
        'metres; by default normalized images (N, C, H, W) to logits and metres',
    )


def run(args: argparse.Namespace) -> None:
    """Export, check and print how far the file is from the model."""
    from sacm_mm.apis.models import load_model
    from sacm_mm.apis.sources import find_model
    from sacm_mm.core.machine import stamp
    from sacm_mm.deploy.describing import describe
    from sacm_mm.deploy.exporting import export

    cfg, weights = find_model(args.model, args.checkpoint)
    model, names = load_model(cfg, weights)
    meta = describe(model, cfg, names) | {'config': args.model, 'stamp': stamp()}
    for name, difference in export(model, args.out, args.end_to_end, meta).items():
        print(f'{name}: differs from the checkpoint by at most {difference:.1e}')
    print(args.out)
