"""The hosts' data sets, imported without their word on an optional package that nobody asked for.

They print it at level DEBUG, but mmengine's ``print_log`` without a logger prints all levels.
"""

import io
from contextlib import redirect_stdout

with redirect_stdout(io.StringIO()):
    import mmseg.datasets  # noqa: F401
