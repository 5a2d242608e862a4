"""Run the notebooks from top to bottom and store them with their outputs, so that they can be read on the web.

python -m benchmarks.notebooks

They run on synthetic recordings, in a folder of their own that is removed afterwards. What a notebook stores names no
folder of this machine; lines on stderr are left out.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from benchmarks.common import ROOT, make_parser, run_program
from toolbox.utils import atomic_write

FOLDER = ROOT / "notebooks"
NAMES = ("notebook1", "notebook2")
VARIABLES = ("DATASET", "EPOCHS", "FLAGS", "MODEL", "ROOT")  # ECG_..., which the notebooks read
CELL_SECONDS = 600  # that a cell may take on a busy machine
DIGEST = "sources_sha256"  # of the metadata: of the cells whose outputs are stored


def read(name: str) -> NotebookNode:
    """The notebook `name` as it stands in the repository."""
    notebook: NotebookNode = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    return notebook


def text_of(notebook: NotebookNode) -> str:
    """A notebook as its file has it."""
    return f"{nbformat.writes(notebook, indent=1, ensure_ascii=False)}\n"


def execute(notebook: NotebookNode, folder: Path, **variables: Any) -> NotebookNode:
    """Run `notebook` in its own folder, as Jupyter does; its data and runs go below `folder`.

    Args:
        variables: the notebook's parameters, as EPOCHS=2.
    """
    clean = {key: value for key, value in os.environ.items() if key not in {f"ECG_{name}" for name in VARIABLES}}
    given = {f"ECG_{name}": str(value) for name, value in {"ROOT": folder / "ecg_data", **variables}.items()}
    given |= {"IPYTHONDIR": str(folder / "ipython"), "NO_COLOR": "1"}  # ipykernel asks for colour
    with patch.dict(os.environ, {**clean, **given}, clear=True):
        client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}})
        client.timeout = client.startup_timeout = CELL_SECONDS
        client.execute()
    return notebook


def sources_digest(notebook: NotebookNode) -> str:
    """The SHA-256 of what the cells hold, which outputs belong to."""
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()


def kinds(notebook: NotebookNode) -> dict[str, list[str]]:
    """Of each code cell, by its id, the kinds of its outputs: "stdout", or the richest MIME type."""
    return {cell.id: [_kind(output) for output in _kept(cell)] for cell in notebook.cells if cell.cell_type == "code"}


def _kind(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return str(output["name"])
    return next(mime for mime in ("image/png", "text/markdown", "text/html", "text/plain") if mime in output["data"])


def _kept(cell: NotebookNode) -> list[NotebookNode]:
    """The outputs of a cell without stderr, one after the other of a stream joined."""
    kept: list[NotebookNode] = []
    for output in cell.outputs:
        if output.output_type != "stream":
            kept.append(output)
        elif output.name == "stdout":
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
            else:
                kept.append(output)
    return kept


def stored(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """An executed notebook as it is stored: outputs without stderr, timings and folders of this machine."""
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.metadata.pop("execution", None)
        cell.execution_count = number
        cell.outputs = _kept(cell)
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = output.text.replace(f"{folder}/", "").replace(f"{ROOT}/", "")
            elif output.output_type == "execute_result":
                output.execution_count = number
    notebook.metadata[DIGEST] = sources_digest(notebook)
    return notebook


def main() -> None:
    """Run both notebooks and store them."""
    make_parser(__doc__, records=False).parse_args()
    for name in NAMES:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary).resolve()
            before = read(name)
            metadata = {**before.metadata}
            notebook = execute(before, folder)
            notebook.metadata = nbformat.from_dict(metadata)  # without this machine's versions
            text = text_of(stored(notebook, folder))
        with atomic_write(FOLDER / f"{name}.ipynb", "w") as handle:
            handle.write(text)
        print(f"written {FOLDER / name}.ipynb ({len(text) / 1000:.0f} kB)")


if __name__ == "__main__":
    run_program(main)
