"""The one exception that means: the user can mend this; and errors of others in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator


class UserError(ValueError):
    """Input that cannot be used; the message is one line that names what is wrong and the fix.

    The tools print it and exit with code 2. It is a ``ValueError`` so that library users can catch
    it without knowing this package.
    """


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


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, back to what went wrong first."""
    cause: BaseException | None = error
    while cause is not None:  # registries and wrappers put their own errors in front
        yield cause
        cause = cause.__cause__ or cause.__context__
