"""Check the shape of values read from files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolbox.utils.errors import UserError, warn
from toolbox.utils.files import read_json

MISSING = object()


def schema_error(value: Any, shape: Any, place: str) -> str:
    """Describe the first misfit of a value from a file: "log.val[2].epoch is a str, expected int"; "" if it fits.

    Args:
        shape: a type, or a tuple of types; [shape] for a list; {"name": shape} for a dictionary with at least these
            names ("name?" may be missing); {str: shape} for one of any names.
        place: name of the value, for the message.
    """
    kinds = shape if isinstance(shape, tuple) else (type(shape) if isinstance(shape, list | dict) else shape,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        got = "missing" if value is MISSING else f"a {type(value).__name__}"
        return f"{place} is {got}, expected {' or '.join(kind.__name__ for kind in kinds)}"
    inner = _parts(value, shape, place) if isinstance(shape, list | dict) else ()
    return next((problem for part in inner if (problem := schema_error(*part))), "")


def read_json_of_shape(path: Path, shape: Any) -> Any:
    """The content of a JSON file; None, with a warning, where it cannot be read or is of another shape.

    Args:
        shape: see `schema_error`.
    """
    try:
        content = read_json(path)
        problem = schema_error(content, shape, "it")
    except UserError as error:
        problem = str(error)
    if problem:
        warn(f"{path} is passed over: {problem}")
        return None
    return content


def _parts(value: Any, shape: Any, place: str) -> Iterator[tuple[Any, Any, str]]:
    if isinstance(shape, list):
        yield from ((part, shape[0], f"{place}[{k}]") for k, part in enumerate(value))
    elif str in shape:
        yield from ((part, shape[str], f"{place}.{name}") for name, part in value.items())
    else:
        for name, inner in shape.items():
            key = name.removesuffix("?")
            if key in value or key == name:
                yield value.get(key, MISSING), inner, f"{place}.{key}"
