#!/usr/bin/env python
"""Keep a trained and tested run as a result: figures, logs, config, machine and pictures."""

from pathlib import Path

from sacm_mm.cli.common import Parser, run_tool
from sacm_mm.core.errors import UserError


def main() -> None:
    """Gather the run."""
    parser = Parser(description=__doc__)
    parser.add_argument('config', help='config that was trained')
    parser.add_argument('train_dir', type=Path, help='work dir of tools/train.py')
    parser.add_argument('--out', type=Path, required=True, help='folder to make, in results/')
    parser.add_argument(
        '--test',
        nargs='+',
        required=True,
        metavar='NAME=WORK_DIR',
        help='work dirs of tools/test.py by name, for instance whole=work_dirs/test',
    )
    parser.add_argument('--command', nargs='+', required=True, help='what gives the figures again')
    parser.add_argument('--picture', nargs='*', type=Path, default=[], help='files to keep')
    parser.add_argument('--weights', action='store_true', help='keep the last weights (if small)')
    parser.add_argument('--note', default='', help='what a reader has to know')
    args = parser.parse_args()
    malformed = [test for test in args.test if '=' not in test]
    if malformed:
        raise UserError(f"--test '{malformed[0]}' is not NAME=WORK_DIR")

    from sacm_mm.core.files import publish_folder
    from sacm_mm.core.run_record import write_record

    tests = {name: Path(folder) for name, _, folder in (t.partition('=') for t in args.test)}
    with publish_folder(args.out) as folder:
        write_record(
            folder,
            args.config,
            args.train_dir,
            tests,
            args.command,
            args.picture,
            args.note,
            args.weights,
        )
    print(args.out / 'result.json')


if __name__ == '__main__':
    run_tool(main)
