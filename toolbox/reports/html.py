"""HTML pages of one file: the templates, and the layout, style and macros that they share."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from toolbox.utils.aami import CLASS_COLOURS, DARK_COLOURS

SHARED = Path(__file__).parent  # layout.html, macros.html, base.css and palette.css
ABSENT = "–"  # stands for a value that does not exist, such as the sensitivity of a class without beats


@cache
def load_template(path: Path) -> Template:
    """Load the template in `path`; it finds files beside it and the shared ones, and escapes every value. It is
    read once in a process: a run's page is written after each epoch."""
    environment = Environment(
        loader=FileSystemLoader([path.parent, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(class_colours=CLASS_COLOURS, dark_colours=DARK_COLOURS)  # for palette.css
    return environment.get_template(path.name)


def script_digest(script: str) -> str:
    """The SHA-256 of a page's script, in base64, as its policy names the only one that may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
