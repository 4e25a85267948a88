"""The one exception that means: the user can mend this; and errors of others in one line."""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(ValueError):
    """Input that cannot be used; the message is one line that names what is wrong and the fix.

    The tools print it and exit with code 2. It is a ``ValueError`` so that library users can catch
    it without knowing this package.
    """


def one_line(error: BaseException, limit: int | None = None) -> str:
    """Reduce an error to what the user needs, to its class where it has no words.

    A data loader's worker sends its whole traceback as the message, and mmengine's registries put
    the class in front.

    Args:
        error: Of anybody's.
        limit: The most characters; the end of a longer text becomes dots.
    """
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: '{error.filename}'"
    text = str(error)
    if 'Original Traceback' in text:
        text = text.strip().splitlines()[-1]
        text = re.sub(r'^[\w.]*(Error|Exception): ', '', text)
    text = re.sub(r'^(class `[\w.]+` in [\w./-]+: )+', '', text)
    text = ' '.join(text.split()) or type(error).__name__
    return text if limit is None or len(text) <= limit else f'{text[: limit - 3]}...'


def did_you_mean(
    name: str, known: Iterable[str], otherwise: str, count: int = 3, prefix: str = ''
) -> str:
    """Return the end of a message on a name that is not known.

    Args:
        name: The name.
        known: Those that are.
        otherwise: What to say where none of them is near.
        count: The most names to say.
        prefix: Of the names that are said.
    """
    near = difflib.get_close_matches(name, list(known), n=count, cutoff=0.4)
    return f'did you mean {", ".join(prefix + n for n in near)}?' if near else otherwise


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, back to what went wrong first."""
    cause: BaseException | None = error
    while cause is not None:  # registries and wrappers put their own errors in front
        yield cause
        cause = cause.__cause__ or cause.__context__


@contextmanager
def mistakes_named(what: str) -> Iterator[None]:
    """Say in one line what goes wrong where values of the user are handed to other people's code.

    Args:
        what: Begins the line: what cannot be done with which config.

    Raises:
        UserError: Whatever is raised; those of the operating system and our own pass.
    """
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:  # each library has exceptions of its own for values that do not fit
        own = next((cause for cause in causes(error) if isinstance(cause, UserError)), None)
        if own is not None:
            raise own from error
        raise UserError(f'{what}: {described(error)}') from error


def described(error: Exception) -> str:
    """Return an error's kind, text and place in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f' ({Path(frames[-1].filename).name}:{frames[-1].lineno})' if frames else ''
    kind, text = type(error).__name__, one_line(error, 500)
    if text == kind and frames and (line := frames[-1].line or '').startswith('assert '):
        text = line  # which is all that the hosts say of some values
    return f'{kind if text == kind else f"{kind}: {text}"}{place}'
