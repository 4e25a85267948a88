"""``sacm data``: make a data set that trains at once of what people have."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from sacm_mm.cli.common import flags_of

HELP = 'make a data set that trains at once of your own pictures'

_KINDS = ('folder', 'coco', 'labelme', 'cvat', 'yolo', 'voc', 'classes', 'depth')
EPILOG = """\
folder PHOTOS MASKS        masks that are pictures: colours, palettes, numbers, 0 and 255
coco instances.json PHOTOS polygons and run lengths; or a folder with both
labelme FOLDER [PHOTOS]    .json files, beside the photos or apart
cvat FOLDER [PHOTOS]       an unpacked export "CVAT for images 1.1"
yolo FOLDER [PHOTOS]       images, labels (polygons, .txt) and data.yaml
voc FOLDER                 JPEGImages and SegmentationClass
classes FOLDER             one folder of pictures a class
depth PHOTOS DEPTHS        with --unit

Example: sacm data folder photos masks --out mine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``sacm data``."""
    add = parser.add_argument
    add('kind', choices=_KINDS, help='what you have, see below')
    add('paths', nargs='+', type=Path, help='its folders or files')
    add('--out', required=True, type=Path, help='folder to write; one of an earlier run is updated')
    add('--classes', help='names in the order of their numbers, a,b,c, or a file of names')
    add('--ignore', nargs='+', default=[], metavar='CLASS', help='names, #colours or values that '
        'are not to be learned')  # fmt: skip
    add('--split', default='80,10,10', help='shares of train, val, test (default: %(default)s)')
    add('--seed', type=int, default=0, help='of the split')
    add('--group', metavar='REGEX', help='its first group names the recording of a picture, which '
        'is not torn apart: "(.*)_\\d+"')  # fmt: skip
    add('--pattern', metavar='NAME', help='how masks or depth frames are named: "{id}_mask.png"; '
        'found out by default')  # fmt: skip
    add('--tolerance', type=int, default=0, metavar='N', help='take colours for the nearest class '
        'within N of it, for masks with smooth edges')  # fmt: skip
    add('--unlabelled', choices=('background', 'ignore'), default='background',
        help='what no polygon covers (default: %(default)s)')  # fmt: skip
    add('--boxes', action='store_true', help='take boxes for areas, where polygons are missing')
    add('--unit', help='of depth: mm, cm, m, disparity, or the metres of a step')
    add('--focal-baseline', type=float, metavar='PX*M', help='focal length times baseline, which '
        'turns disparity into metres')  # fmt: skip
    add('--link', action='store_true', help='link to the pictures in place of copying them')


def run(args: argparse.Namespace) -> None:
    """Make the data set and say what was found."""
    from sacm_mm.own_data.checking import check
    from sacm_mm.own_data.page import NAME, write_page
    from sacm_mm.own_data.sources import prepare_source

    shown = shlex.join(['sacm', *sys.argv[1:]]) if len(sys.argv) > 1 else 'sacm data'
    done = prepare_source(**flags_of(args), command=shown)
    for line in done.lines:
        print(line)
    report = check(done.folder)
    write_page(report, done.folder / NAME)
    for finding in report.findings:
        print(finding)
    print(f'data set: {done.folder}; config: {done.config}; page: {done.folder / NAME}')
