"""What the command lines share: errors in one line, and the flags of the hosts' tools.

Nothing heavy is imported at module level, so that ``--help`` and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn

from sacm_mm.core.errors import UserError, one_line

USER_ERROR_EXIT_CODE = 2


def run_tool(main: Callable[[], None]) -> NoReturn:
    """Run ``main``; end in exit code 0, or 2 and one line on stderr for what the user can mend.

    Anything else is a bug and keeps its traceback.
    """
    if not sys.warnoptions:  # the hosts warn of choices of ours that are meant, and of no interest
        warnings.filterwarnings('ignore', module=r'mm(cv|engine|seg|pretrain)\b')
    try:
        main()
    except (UserError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        print(f'error: {one_line(error)}', file=sys.stderr)
        sys.exit(USER_ERROR_EXIT_CODE)
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that the hosts' training and testing tools share."""
    parser.add_argument('config', help='config file, or the name of one of ours (sacm_voc.py)')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change settings of the config, for instance train_cfg.max_iters=1000 or '
        'crop_size="(320,640)"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started',
    )
    # torch.distributed.launch hands this over; torchrun sets the environment variable itself
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
