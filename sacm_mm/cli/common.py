"""What the command lines share: errors in one line, and the flags of the hosts' tools.

Nothing heavy is imported at module level, so that ``--help`` and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.launchers import LAUNCHERS

USER_ERROR_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130


def call(function: Callable[..., int | None], *arguments: Any) -> int:
    """Call a verb; what the user can mend becomes one line on stderr and exit code 2.

    Anything else is a bug and keeps its traceback.
    """
    if not sys.warnoptions:  # the hosts warn of choices of ours that are meant, and of no interest
        warnings.filterwarnings('ignore', module=r'mm(cv|engine|seg|pretrain)\b')
    try:
        return function(*arguments) or 0
    except BrokenPipeError:  # as in `sacm study list | head`; Python would complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, OSError) as error:
        # names of files need not be UTF-8
        text = one_line(error).encode('utf-8', 'replace').decode()
        print(f'error: {text}', file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED_EXIT_CODE


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        print(f'error: {message} (see {self.prog} --help)', file=sys.stderr)
        sys.exit(USER_ERROR_EXIT_CODE)


def run_tool(main: Callable[[], int | None]) -> NoReturn:
    """Run the ``main`` of a script, and exit."""
    code = call(main)
    # all is done but Python's own clearing up
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


@contextmanager
def imports_kept() -> Iterator[None]:
    """Let no collection of garbage walk through what is imported, which takes 0.6 s each."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()  # or modules complain of leaks when Python ends


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that the hosts' training and testing tools share."""
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    add_options(parser)
    parser.add_argument(
        '--launcher',
        choices=list(LAUNCHERS),
        default='none',
        help='how the processes of a distributed run were started',
    )
    # torch.distributed.launch hands this over; torchrun sets the environment variable itself
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flag that changes settings of a config."""
    parser.add_argument(
        '--cfg-options',
        dest='options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='change settings of the config, for instance train_cfg.max_iters=1000 or '
        'crop_size="(320,640)"',
    )


def use_local_rank(args: argparse.Namespace) -> None:
    """Hand on what ``torch.distributed.launch`` gave as a flag."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))


def flags_of(args: argparse.Namespace, *others: str) -> dict[str, Any]:
    """Return the flags of a verb by name: they are the parameters of the function that it calls.

    Args:
        args: What was parsed.
        others: Flags that are read apart.
    """
    return {k: v for k, v in vars(args).items() if k not in ('verb', 'run', *others)}


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add what names a trained model."""
    parser.add_argument(
        'model',
        help='work dir of a training; or a published model (camvid_light), a file of weights or of '
        'sacm export beside its config, or a config with its weights after it',
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help="weights of a config, or others than the folder's best: a file, or a work dir",
    )


def add_running(parser: argparse.ArgumentParser) -> None:
    """Add how trained networks and exported files run."""
    parser.add_argument(
        '--exact',
        dest='fast',
        action='store_false',
        help="compute by PyTorch's layers, not by this package's kernels for CPUs; the results are "
        'the same to rounding',
    )
    parser.add_argument(
        '--dtype',
        default='float32',
        help='bfloat16, where the processor computes in it, is faster and rounds more',
    )
    parser.add_argument(
        '--runtime', help='what runs a .onnx file: onnxruntime or openvino (default: the first)'
    )
    parser.add_argument('--trust', action='store_true', help='take files that can run code: .pt2')


def positive(text: str) -> int:
    """Read an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError('must be at least 1')
    return number
