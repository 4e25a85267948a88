"""``sacm predict``."""

import argparse
from dataclasses import fields
from pathlib import Path

from sacm_mm.cli.common import add_model, add_running, flags_of, positive

HELP = 'predict pictures, folders, videos or a camera with a trained model'
EPILOG = """\
examples:
  sacm predict photos work_dirs/mine --save overlay,masks,json
  sacm predict photo.jpg sacm_voc.py VOC.h5
  sacm predict 0 work_dirs/mine       (camera 0, until Ctrl-C)

exit code 3: some files could not be read; they are named, and the others are done"""
SOME_LEFT_OUT = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        'source', help='picture, folder (with those below it), video, or number of a camera'
    )
    add_model(parser)
    parser.add_argument(
        '--out', type=Path, default=Path('predictions'), help='folder (default: %(default)s)'
    )
    parser.add_argument(
        '--save',
        type=lambda kinds: tuple(kind.strip() for kind in kinds.split(',')),
        default='overlay',
        metavar='KINDS',
        help='of overlay,masks,colour,depth16,json,csv (default: overlay); several kinds of '
        'pictures get a folder each',
    )
    parser.add_argument('--opacity', type=float, default=0.5, help='of overlays, 0 to 1')
    parser.add_argument('--legend', action='store_true', help='names of the classes below overlays')
    parser.add_argument(
        '--tile', type=positive, metavar='PIXELS', help='predict huge pictures in parts'
    )
    parser.add_argument(
        '--overlap',
        type=int,
        help='pixels that tiles share (default: what the network sees, at most half a tile)',
    )
    parser.add_argument(
        '--batch',
        type=positive,
        help='pictures at a time (default: as many as have half a megapixel)',
    )
    parser.add_argument('--frames', type=positive, help='stop a video or camera after so many')
    parser.add_argument('--overwrite', action='store_true', help='replace files that are there')
    parser.add_argument('--device', help='torch device (default: cuda:0 where there is one)')
    parser.add_argument('--threads', type=positive, help='threads of PyTorch')
    add_running(parser)


def run(args: argparse.Namespace) -> int:
    """Predict, and say what was left out."""
    from rich.progress import track

    from sacm_mm.apis.predict import Wanted, find_inputs, predict_files
    from sacm_mm.apis.predictor import load

    flags = flags_of(args, 'source', 'out')
    wanted = Wanted(**{field.name: flags.pop(field.name) for field in fields(Wanted)})
    wanted.check()
    if not args.source.isdigit():
        find_inputs(Path(args.source))  # before the model is loaded
    model = load(**flags)
    outcome = predict_files(model, args.source, args.out, wanted, print, track)
    if outcome.skipped:
        print(f'{len(outcome.written)} files written, {len(outcome.skipped)} inputs left out')
        return SOME_LEFT_OUT
    return 0
