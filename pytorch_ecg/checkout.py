"""One package `pytorch_ecg` out of a checkout, whose modules import each other as `models`, `toolbox`, `args`.

Installed under these names they would collide with other people's modules. So each import of the project is rewritten
to begin with `pytorch_ecg.`, by `rewritten`: files once, when a wheel is built (setup.py); modules of a checkout, also
of one installed by `pip install -e .`, whenever they are imported under this name, and no file is changed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

PACKAGE = "pytorch_ecg"
ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("commands", "inference", "loaders", "models", "toolbox", "recipes", "pretrained")
FILES = ("args.py", "commander.py", "trainer.py")
TOP_LEVEL = {*FOLDERS, *(Path(name).stem for name in FILES)}
REGISTERED = re.compile(r"([A-Za-z_]\w*)(\.\w+)*:\w+")  # "package.module:function", as the name tables hold


def project_files() -> list[Path]:
    """The files that belong into the package, relative to the checkout: modules, and data files beside them."""
    inside = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    kept = [path.relative_to(ROOT) for path in inside if path.suffix != ".pyc"]
    return [Path(name) for name in FILES] + [
        path for path in kept if not any(part.startswith((".", "__pycache__")) for part in path.parts)
    ]


def is_own(name: str | None) -> bool:
    """Whether a dotted name is one of this project's modules."""
    return name is not None and name.split(".")[0] in TOP_LEVEL


def rewritten(source: bytes, file: str = "<source>") -> bytes:
    """Python source with every import of this project under `pytorch_ecg`; lines keep their numbers.

    Raises:
        ValueError: an import that is not written in a form known here.
    """
    lines = source.splitlines(keepends=True)
    changes: list[tuple[int, int, int, bytes]] = []  # line, first and last byte in it, new text
    for node in ast.walk(ast.parse(source, file)):
        if isinstance(node, ast.ImportFrom) and not node.level and is_own(node.module):
            line, place = lines[node.lineno - 1], node.col_offset
            match = re.compile(rb"from[ \t]+").match(line, place)
            if not match:
                raise ValueError(f"{file}:{node.lineno}: expected `from MODULE import` on one line")
            changes.append((node.lineno, match.end(), match.end(), f"{PACKAGE}.".encode()))
        elif isinstance(node, ast.Import) and any(is_own(alias.name) for alias in node.names):
            if node.end_lineno != node.lineno or node.end_col_offset is None:
                raise ValueError(f"{file}:{node.lineno}: expected `import MODULE` on one line")
            text = "; ".join(map(import_statement, node.names)).encode()
            changes.append((node.lineno, node.col_offset, node.end_col_offset, text))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            match_text = REGISTERED.fullmatch(node.value)
            if match_text and match_text[1] in TOP_LEVEL:
                start = node.col_offset + 1  # behind the quote
                if lines[node.lineno - 1][start : start + len(node.value)] != node.value.encode():
                    raise ValueError(f"{file}:{node.lineno}: expected {node.value!r} as one plain string")
                changes.append((node.lineno, start, start, f"{PACKAGE}.".encode()))
    for number, start, end, text in sorted(changes, reverse=True):
        line = lines[number - 1]
        lines[number - 1] = line[:start] + text + line[end:]
    return b"".join(lines)


def import_statement(alias: ast.alias) -> str:
    """`import NAME` or `import NAME as OTHER`, of this project from within the package."""
    renamed = f" as {alias.asname}" if alias.asname else ""
    if not is_own(alias.name):
        return f"import {alias.name}{renamed}"
    if alias.asname:
        return f"import {PACKAGE}.{alias.name}{renamed}"
    bound = f"from {PACKAGE} import {alias.name.split('.')[0]}"
    return bound if "." not in alias.name else f"import {PACKAGE}.{alias.name}; {bound}"


class RewritingLoader(SourceFileLoader):
    """Loads a module of the checkout with rewritten imports.

    Bytecode is neither read nor written: that beside the file is of the original.
    """

    def path_stats(self, path: Any) -> Any:
        """Raise OSError, by which the import system knows that there is no bytecode."""
        raise OSError(f"{path}: no bytecode is kept")

    def source_to_code(self, data: Any, path: Any = "<string>", *_: Any, **__: Any) -> Any:  # type: ignore[override]
        """The module's code."""
        return super().source_to_code(rewritten(bytes(data), str(path)), path)


class CheckoutFinder(MetaPathFinder):
    """Finds `pytorch_ecg.NAME` in the checkout's own folders."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The specification of a module of this project; None for any other."""
        package, _, name = fullname.partition(".")
        if package != PACKAGE or not is_own(name):
            return None
        base = ROOT.joinpath(*name.split("."))
        file = base / "__init__.py"
        folders = [str(base)] if file.is_file() else None
        if folders is None:
            file = base.with_name(f"{base.name}.py")
        if not file.is_file():
            return None
        loader = RewritingLoader(fullname, str(file))
        return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=folders)


def install_finder() -> None:
    """Let `import pytorch_ecg.NAME` find the checkout's modules, once a process."""
    if not any(isinstance(finder, CheckoutFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, CheckoutFinder())
