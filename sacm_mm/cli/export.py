"""``sacm export``."""

import argparse
from pathlib import Path
from typing import Any

from sacm_mm.cli.common import add_model, positive
from sacm_mm.core.errors import UserError, mistakes_named
from sacm_mm.core.files import check_writable_file

HELP = 'write a trained model as ONNX, OpenVINO IR, a torch.export package or a web page, checked'
EPILOG = """examples:
  sacm export work_dirs/mine --out mine.onnx
  sacm export work_dirs/mine --out mine.html    # for browsers, offline"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_model(parser)
    parser.add_argument(
        '--out',
        help='what to write: a file .onnx, .xml (OpenVINO) or .pt2; a web page .html that runs the '
        'model; or folder/, that page to be served, with several threads',
    )
    parser.add_argument(
        '--end-to-end',
        action='store_true',
        help='take pixels (N, H, W, C), uint8, and give classes (N, H, W), uint8, or scores, and '
        'metres; by default normalized images (N, C, H, W) to logits and metres',
    )
    parser.add_argument(
        '--int8',
        action='store_true',
        help='.onnx or .xml in 8 bits; refused when it loses more than 0.5 points on the val set, '
        'of depth 2 %% of abs rel',
    )
    parser.add_argument(
        '--calibrate',
        type=positive,
        metavar='N',
        help='--int8: training pictures that the ranges are found on (default: 100)',
    )
    parser.add_argument('--allow-loss', action='store_true', help='--int8: keep it nevertheless')
    parser.add_argument(
        '--card',
        help='folder to make: weights, config, ONNX, web page and a model card, for others to run',
    )
    parser.add_argument('--no-page', action='store_true', help='--card without the web page')
    parser.add_argument(
        '--samples', help="folder of pictures that the page offers (default: the test data's)"
    )
    parser.add_argument(
        '--web-runtime', help='folder of the npm package onnxruntime-web (default: npm fetches it)'
    )
    parser.add_argument('--trust', action='store_true', help='take checkpoints that can run code')


def run(args: argparse.Namespace) -> None:
    """Export, check and print how far the file is from the model."""
    from sacm_mm.apis.find_model import find_model
    from sacm_mm.apis.models import load_model
    from sacm_mm.core.machine import stamp
    from sacm_mm.deploy.description import describe
    from sacm_mm.deploy.runtimes import is_exported

    _check(args)
    cfg, weights = find_model(args.model, args.checkpoint)
    if is_exported(weights):
        raise UserError(f"'{weights}' is exported already: name the checkpoint that it is of")
    with mistakes_named(f"config '{cfg.filename}' does not build a model that is exported"):
        model, names = load_model(cfg, weights, args.trust)
    meta = describe(model, cfg, names) | {'config': args.model, 'stamp': stamp()}
    if args.int8:
        from sacm_mm.apis.export_int8 import export_int8

        lines = export_int8(
            model, cfg, weights, args.out, meta, args.calibrate or 100, args.allow_loss, args.trust
        )
    else:
        lines = [
            f'{name}: differs from the checkpoint by at most {difference:.1e}'
            for name, difference in _written(args, model, cfg, meta, weights).items()
        ]
    print('\n'.join([*lines, args.card or args.out]))
    if not args.card and args.out.endswith('/'):
        print(f'serve it: cd {args.out}\n          python serve.py')


def _written(
    args: argparse.Namespace, model: Any, cfg: Any, meta: dict, weights: str
) -> dict[str, float]:
    """Write the file, page or folder; return how far it is from the model."""
    if args.card:
        from sacm_mm.deploy.card import figures_beside, write_card
        from sacm_mm.deploy.samples import pictures_of

        samples = None if args.no_page else pictures_of(cfg, args.samples)
        figures = figures_beside(weights)
        return write_card(model, cfg, args.card, meta, figures, samples, args.web_runtime)
    if _is_page(args.out):
        from sacm_mm.deploy.page import write_page
        from sacm_mm.deploy.samples import pictures_of

        samples = pictures_of(cfg, args.samples)
        return write_page(model, args.out, meta, samples, Path(args.model).stem, args.web_runtime)
    from sacm_mm.deploy.exporting import export

    return export(model, args.out, args.end_to_end, meta)


def _is_page(out: str) -> bool:
    return out.lower().endswith(('.html', '.htm', '/'))


def _check(args: argparse.Namespace) -> None:
    """Refuse what does not go together, before the model is loaded."""
    if bool(args.out) == bool(args.card):
        raise UserError('give --out FILE or --card FOLDER, one of them')
    page = _is_page(args.out) if args.out else not args.no_page
    file = bool(args.out) and not page
    for option, given, goes, where in (
        ('--int8', args.int8, file, '--out FILE.onnx or FILE.xml'),
        ('--end-to-end', args.end_to_end, file and not args.int8, '--out FILE, without --int8'),
        ('--calibrate', args.calibrate, args.int8, '--int8'),
        ('--allow-loss', args.allow_loss, args.int8, '--int8'),
        ('--no-page', args.no_page, args.card, '--card'),
        ('--samples', args.samples, page, 'a web page'),
        ('--web-runtime', args.web_runtime, page, 'a web page'),
    ):
        if given and not goes:
            raise UserError(f'{option} goes with {where}: leave it out')
    if args.out and not args.out.endswith('/'):
        check_writable_file(args.out)
    if args.int8:
        from sacm_mm.deploy.quantizing import check_quantizable

        check_quantizable(args.out)
