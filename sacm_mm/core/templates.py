"""Pages, configs and cards from templates."""

from pathlib import Path
from typing import Any


def fill(template: Path, /, **values: Any) -> str:
    """Fill a template; in pages names of classes and files are text, whatever they hold.

    Args:
        template: Its file: ``.html`` in its name makes it a page.
        **values: What it names; one that is missing is an error.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape='.html' in template.suffixes,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template.name).render(values)
