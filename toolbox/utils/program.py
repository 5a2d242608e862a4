"""The program as a user knows it: its version, and the words it is started with."""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from pathlib import Path

PACKAGE = "pytorch_ecg"
DISTRIBUTION = "pytorch-ecg"
EXTRAS = {  # extra of pyproject.toml -> modules it brings
    "train": ("torch", "sklearn", "matplotlib", "tensorboard", "gdown"),
    "onnx": ("onnx", "onnxruntime"),
    "formats": ("ecgdatakit", "pydicom"),
    "explain": ("captum",),
    "completion": ("argcomplete",),
    "sweep": ("optuna", "psycopg", "sqlalchemy"),
    "corpora": ("dask", "distributed", "fsspec", "s3fs", "aiohttp"),
}
REQUIREMENTS = {
    "formats": "requirements-formats.txt",
    "explain": "requirements-explain.txt",
    "sweep": "requirements-sweep.txt",
    "corpora": "requirements-corpora.txt",
}  # of an extra that requirements.txt does not bring


def program_words() -> list[str]:
    """How this process was started: ["python", "commander.py"] in a checkout, ["pytorch-ecg"] where it is installed."""
    started = Path(sys.argv[0])
    if started.stem == DISTRIBUTION:
        return [DISTRIBUTION]
    if started.name == "__main__.py" and started.parent.name == PACKAGE:
        return ["python", "-m", PACKAGE]
    return ["python", "commander.py"]


def project_version() -> str:
    """The version of the checkout's pyproject.toml, else that of the installed package."""
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if pyproject.is_file():
        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
    return importlib.metadata.version(DISTRIBUTION)


def missing_package(error: ModuleNotFoundError) -> str:
    """One line that says what to install; "" when the missing module comes with none of the extras."""
    module = (error.name or "").split(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
    if extra is None:
        return ""
    file = REQUIREMENTS.get(extra, "requirements.txt")
    return (
        f"this needs {module}, which is not installed; "
        f"install it by: pip install {DISTRIBUTION}[{extra}], or in a checkout: pip install -r {file}"
    )
