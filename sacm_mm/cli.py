"""What the command lines share: errors in one line, finding configs, checking before anything runs.

Nothing heavy is imported at module level, so that ``--help`` and mistakes are answered at once.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sacm_mm.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config

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


def one_line(error: BaseException) -> str:
    """Reduce an error to what the user needs.

    A data loader's worker sends its whole traceback as the message, and mmengine's registries put
    the class in front.
    """
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: '{error.filename}'"
    text = str(error)
    if 'Original Traceback' in text:
        text = text.strip().splitlines()[-1]
        text = re.sub(r'^[\w.]*(Error|Exception): ', '', text)
    text = re.sub(r'^(class `[\w.]+` in [\w./-]+: )+', '', text)
    return ' '.join(text.split())


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
        'train_dataloader.dataset.pipeline.2.scale="(640,320)"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started',
    )
    # torch.distributed.launch hands this over; torchrun sets the environment variable itself
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(name: str, options: list[str]) -> Config:
    """Load a config by path, or one of this package's by name, and apply ``KEY=VALUE`` options.

    Raises:
        UserError: There is no such config, it does not parse, or an option is malformed.
    """
    from mmengine.config import DictAction

    path = find_config(name)
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    malformed = [option for option in options if '=' not in option]
    if malformed:
        raise UserError(f"option '{malformed[0]}' is not KEY=VALUE")
    cfg = read_config(path)
    if options:
        try:
            cfg.merge_from_dict(parser.parse_args(['--cfg-options', *options]).cfg_options)
        except (KeyError, TypeError, AssertionError, IndexError) as error:
            raise UserError(f'--cfg-options do not fit config {path}: {one_line(error)}') from error
    return cfg


def read_config(path: Path) -> Config:
    """Load a config; whatever is wrong with it is said in one line."""
    from mmengine.config import Config

    try:
        return Config.fromfile(path)
    except ImportError as error:
        raise UserError(_missing_import(path, error)) from error
    except Exception as error:  # a config runs any code
        raise UserError(f"config '{path}' does not load: {one_line(error)}") from error


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, back to what went wrong first."""
    cause: BaseException | None = error
    while cause is not None:  # registries and wrappers put their own errors in front
        yield cause
        cause = cause.__cause__ or cause.__context__


def _missing_import(path: Path, error: ImportError) -> str:
    """Say which module a config needs, and how to install it where that is known."""
    found = re.search(r"'imports': ('[^']+'|\[[^\]]*\])", str(error))
    what = found.group(1).replace("'", '').strip('[]') if found else one_line(error)
    *_, first = causes(error)  # a package of its own may be absent
    absent = first.name.partition('.')[0] if isinstance(first, ImportError) and first.name else ''
    if absent and absent not in what:
        what += f", for '{absent}' is absent: pip install {absent}"
    elif 'mmdet' in what:
        what += ': pip install onedl-mmdetection'
    return f"config '{path}' needs a module that does not import: {what}"


def find_config(name: str) -> Path:
    """Find a config file: a path, a name among ours, or ``mmseg:FOLDER/FILE.py`` of the hosts'."""
    if name.startswith(('mmseg:', 'mmpretrain:')):
        from sacm_mm.swap.hosts import stock_config

        if stock := stock_config(name):
            return stock
    return _find(name, 'config', _config_folder())


def find_study(name: str) -> Path:
    """Find the config of a comparison: a path, or a name such as ``camvid_seg``."""
    return _find(name, 'study', _config_folder() / 'comparison')


def _find(name: str, kind: str, folder: Path) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    ours = {p.name: p for p in folder.glob('*.py')}
    candidate = path.name if path.suffix else f'{path.name}.py'
    if path.parent == Path() and candidate in ours:
        return ours[candidate]
    near = difflib.get_close_matches(candidate, ours, n=3, cutoff=0.4) or sorted(ours)
    raise UserError(f"{kind} '{name}' does not exist: did you mean {', '.join(near)}?")


def _config_folder() -> Path:
    package = Path(__file__).parent
    installed = package / '.mim' / 'configs'
    return installed if installed.is_dir() else package.parent / 'configs'


def check_writable(folder: str | os.PathLike) -> None:
    """Make sure that ``folder`` can be made and written, without making it.

    Raises:
        UserError: It, or the nearest folder above that exists, is a file or not writable.
    """
    nearest = Path(folder).absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UserError(f"cannot write to '{folder}': '{nearest}' is a file, choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to '{folder}': no permission for '{nearest}'")
