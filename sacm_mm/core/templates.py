"""Pages, configs, cards and tables from templates and texts."""

import re
from base64 import b64encode
from html import escape
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


def escape_markdown(text: object) -> str:
    """Write a text so that Markdown shows it as it is: no tags, links, cells or lines of its own.

    Args:
        text: A name or a sentence; underscores within words mean nothing to Markdown and stay.
    """
    flat = ' '.join(escape(str(text), quote=False).split())
    return re.sub(r'([\\`*\[\]|]|(?<!\w)_|_(?!\w))', r'\\\1', flat)


def data_url(picture: bytes) -> str:
    """Write the content of a JPEG or PNG file as an address, which a page can hold itself."""
    kind = 'png' if picture.startswith(b'\x89PNG') else 'jpeg'
    return f'data:image/{kind};base64,{b64encode(picture).decode()}'
