"""The wheel: one package, beside a user's own modules of the same names; the editable installation; requirements."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from packaging.requirements import Requirement

import pytorch_ecg
from loaders.sources.synthetic import synthesize
from pytorch_ecg.checkout import FOLDERS, ROOT, project_files, rewritten
from tests.conftest import SMALL
from toolbox.utils.program import EXTRAS, missing_package, program_words, project_version

TOP_LEVEL = ("args", "commander", "commands", "inference", "loaders", "models", "recipes", "toolbox", "trainer")
THREADS = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pip(*words: str | Path, cwd: Path) -> None:
    """Run pip, offline and without a look at other packages."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *map(str, words)]
    answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the wheel is built from, as a build writes into the folder."""
    copy = tmp_path_factory.mktemp("checkout")
    for path in [*project_files(), *map(Path, ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"))]:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy / path)
    shutil.copytree(ROOT / "pytorch_ecg", copy / "pytorch_ecg", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without isolation: setuptools is among the requirements of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    stale = checkout / "build" / "lib" / "pytorch_ecg" / "models" / "removed_long_ago.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, checkout, cwd=folder)
    (built,) = folder.iterdir()
    assert built.name == f"pytorch_ecg-{project_version()}-py3-none-any.whl"
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents installed, to be put on PYTHONPATH."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--no-index", "--no-compile", "--target", folder, wheel, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's working directory: modules named as this project's, and a recording."""
    folder = tmp_path_factory.mktemp("user")
    for name in TOP_LEVEL:
        (folder / f"{name}.py").write_text("raise RuntimeError('the module of the user was imported')\n")
    (recording,) = synthesize(1, 1, seed=3)
    np.savetxt(folder / "chest.csv", recording.signal[:, 0], fmt="%.4f", header="MLII", comments="")
    return folder


def run(installed: Path, user: Path, *words: str, blocked: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed command in the user's folder, whose modules come first on the path."""
    places = [*([blocked] if blocked else []), user, installed]
    environment = {**os.environ, **THREADS, "PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [sys.executable, str(installed / "bin" / "pytorch-ecg"), *words]
    return subprocess.run(command, cwd=user, env=environment, capture_output=True, text=True, check=False)


def lines_of(table: Path) -> list[str]:
    """The beats of a CSV file that --predict wrote."""
    return table.read_text(encoding="utf-8").splitlines()[1:]


def test_the_wheel_holds_one_package_with_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    names = [name for name in contents if ".dist-info/" not in name]
    metadata = {name.rpartition("/")[2]: contents[name].decode() for name in contents.keys() - {*names}}
    own = {"pytorch_ecg/__init__.py", "pytorch_ecg/__main__.py"}
    assert set(names) == own | {f"pytorch_ecg/{path.as_posix()}" for path in project_files()}
    tracked = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {f"pytorch_ecg/{name}" for name in tracked.splitlines() if (ROOT / name).is_file()} <= set(names)
    assert {Path(name).suffix for name in names} >= {".py", ".npz", ".js", ".html", ".css", ".yaml"}
    assert metadata["top_level.txt"].split() == ["pytorch_ecg"]
    assert "pytorch-ecg = pytorch_ecg.__main__:run" in metadata["entry_points.txt"]
    assert "License-Expression: MIT" in metadata["METADATA"] and "LICENSE" in metadata


def test_no_import_of_the_wheel_leaves_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sources = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    for name, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                assert not any(alias.name.split(".")[0] in TOP_LEVEL for alias in node.names), name
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").split(".")[0] not in TOP_LEVEL, name


def test_no_module_is_named_by_a_plain_string() -> None:
    files = [path for path in project_files() if path.suffix == ".py"]
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files} - set(TOP_LEVEL)
    for path in files:
        for node in ast.walk(ast.parse((ROOT / path).read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in modules, f"{path}:{node.lineno}: {node.value} would not be rewritten"


def test_the_command_trains_tests_exports_and_annotates_beside_the_users_modules(
    installed: Path, user: Path, tmp_path: Path
) -> None:
    where = ["--root-dir", str(tmp_path / "data")]
    help_text = run(installed, user, "--help")
    assert help_text.returncode == 0 and help_text.stdout.startswith("usage: pytorch-ecg ")
    mistake = run(installed, user, "--epochs", "none")
    assert mistake.returncode == 2 and mistake.stderr.startswith("pytorch-ecg: error: ")
    about = run(installed, user, "--about")
    assert about.returncode == 0 and re.match(rf"pytorch-ecg +{project_version()}\n", about.stdout)
    flags = ["--config", "first", *SMALL, "--epochs", "1"]  # recipes/first.yaml of the package
    trained = run(installed, user, *flags, *where)
    assert trained.returncode == 0, trained.stderr
    (folder,) = (tmp_path / "data" / "synthetic" / "runs").glob("*/")
    config = yaml.safe_load((folder / "config.json").read_text(encoding="utf-8"))
    assert config["git"] == {"commit": None, "dirty": None}
    tested = run(installed, user, "--test", "--resume", "best", *where)
    assert tested.returncode == 0, tested.stderr
    assert (folder / "pred" / "test_results_ep1.json").is_file()
    exported = run(installed, user, "--export", "onnx", *where)
    assert exported.returncode == 0, exported.stderr

    csv = ["--predict", "chest.csv", "--fs", "360"]
    plain = run(installed, user, *csv, "--out", str(tmp_path / "torch"), *where)
    assert plain.returncode == 0, plain.stderr
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("torch", "tensorboard", "gdown", "sklearn", "onnx"):
        (blocked / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')\n")
    model = str(folder / "export" / "model.onnx")
    light = run(
        installed, user, *csv, "--engine", "onnx", "--model-file", model, "--out", str(tmp_path / "onnx"),
        blocked=blocked,
    )  # fmt: skip
    assert light.returncode == 0, light.stderr
    beats, again = (lines_of(tmp_path / engine / "chest.ecg.csv") for engine in ("torch", "onnx"))
    assert 40 < len(beats) < 150 and [line.split(",")[:4] for line in beats] == [line.split(",")[:4] for line in again]
    page = (tmp_path / "onnx" / "chest.ecg.html").read_text(encoding="utf-8")
    assert (ROOT / "toolbox" / "holter" / "page_viewer.js").read_text(encoding="utf-8") in page

    ready = run(
        installed, user, *csv, "--out", str(tmp_path / "ready"), blocked=blocked
    )  # by a network that came along
    assert ready.returncode == 0 and " by one-lead, " in ready.stdout, ready.stderr
    assert len(lines_of(tmp_path / "ready" / "chest.ecg.csv")) == len(beats)

    missing = run(installed, user, *flags, *where, blocked=blocked)
    assert missing.returncode == 2
    assert missing.stderr == (
        "error: this needs torch, which is not installed; install it by: pip install pytorch-ecg[train], "
        "or in a checkout: pip install -r requirements.txt\n"
    )


PROGRAM = """
import sys
import pytorch_ecg.toolbox.metrics
from pytorch_ecg import Stream, annotate, load_classifier
from pytorch_ecg.models import MODELS
print(pytorch_ecg.__version__, *(one.__module__ for one in (Stream, load_classifier, annotate, MODELS["mlp"])))
print(sorted(set(sys.modules) & {*TOP_LEVEL}))
""".replace("TOP_LEVEL", repr(TOP_LEVEL)[1:-1])


def import_beside_the_user(interpreter: Path | str, user: Path, *places: Path) -> str:
    """The output of a program that imports the package in the user's folder."""
    environment = {**os.environ, **THREADS, "PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [str(interpreter), "-c", PROGRAM]
    answer = subprocess.run(command, cwd=user, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


HOMES = ("inference.stream", "inference.load", "inference.beat_table", "models.mlp")
EXPECTED = f"{project_version()} {' '.join(f'pytorch_ecg.{home}' for home in HOMES)}\n[]\n"


def test_a_program_imports_names_of_the_package(installed: Path, user: Path) -> None:
    assert import_beside_the_user(sys.executable, user, installed) == EXPECTED


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys, pytorch_ecg; print(sorted({'numpy', 'torch', 'args'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


def test_an_editable_installation_gives_the_same_names(checkout: Path, user: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(venv), "platbase": str(venv)}))
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["install", "--no-deps", "--no-index", "--no-build-isolation", "-e", checkout]
    pip("--python", venv / "bin" / "python", *install, cwd=tmp_path)
    assert import_beside_the_user(venv / "bin" / "python", user) == EXPECTED
    (checkout / "models" / "mlp.py").write_text("def mlp():\n    return 'edited'\n")
    program = "from pytorch_ecg.models import MODELS; print(MODELS['mlp']())"
    environment = {**os.environ, **THREADS}
    command = [str(venv / "bin" / "python"), "-c", program]
    edited = subprocess.run(command, cwd=user, env=environment, capture_output=True, text=True, check=True)
    assert edited.stdout == "edited\n"
    command = [str(venv / "bin" / "pytorch-ecg"), "--help"]
    answer = subprocess.run(command, cwd=user, capture_output=True, text=True, check=False)
    assert answer.returncode == 0 and answer.stdout.startswith("usage: pytorch-ecg ")
    shutil.copyfile(ROOT / "models" / "mlp.py", checkout / "models" / "mlp.py")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from models import MODELS", "from pytorch_ecg.models import MODELS"),
        ("from toolbox.runs import lock as l  # why", "from pytorch_ecg.toolbox.runs import lock as l  # why"),
        ("from  args import (\n    a,\n    b,\n)\n", "from  pytorch_ecg.args import (\n    a,\n    b,\n)\n"),
        ("import args", "from pytorch_ecg import args"),
        ("import toolbox.losses", "import pytorch_ecg.toolbox.losses; from pytorch_ecg import toolbox"),
        ("if x:\n    import models.mlp as m, os", "if x:\n    import pytorch_ecg.models.mlp as m; import os"),
        ("from . import models", "from . import models"),
        ("import modelsx\nfrom os import path", "import modelsx\nfrom os import path"),
        ("x = {'mlp': 'models.mlp:mlp'}", "x = {'mlp': 'pytorch_ecg.models.mlp:mlp'}"),
        ('é = "é"; x = "loaders.io:f"', 'é = "é"; x = "pytorch_ecg.loaders.io:f"'),
        ("x = 'other.models:f', 'models', 'models: a list'", "x = 'other.models:f', 'models', 'models: a list'"),
    ],
)
def test_imports_are_rewritten(source: str, expected: str) -> None:
    assert rewritten(source.encode()).decode() == expected


@pytest.mark.parametrize("source", ["from\\\n models import a", "import models, \\\n os", "x = 'models.mlp' ':mlp'"])
def test_what_cannot_be_rewritten_is_refused_with_its_line(source: str) -> None:
    with pytest.raises(ValueError, match=r"some\.py:1: expected"):
        rewritten(source.encode(), "some.py")


def test_unknown_names_of_the_package_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = pytorch_ecg.missing
    assert {"load_classifier", "annotate", "Stream", "main", "__version__"} <= set(dir(pytorch_ecg))


def names_of(lines: list[str]) -> dict[str, Requirement]:
    """Requirements by their names in lower case."""
    return {requirement.name.lower(): requirement for requirement in map(Requirement, lines)}


def pinned(file: str) -> dict[str, str]:
    """The pins of a requirements file: name in lower case -> version."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    split = (line.partition("==") for line in lines if "==" in line)
    return {Requirement(name).name.lower(): version for name, _, version in split}


def test_the_pinned_versions_lie_in_the_ranges() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    ranges = names_of([*PYPROJECT["project"]["dependencies"], *extras["train"], *extras["onnx"]])
    ranges |= names_of([*extras["formats"], *extras["explain"], *extras["trackers"], *extras["sweep"]])
    kinds = ("", "-onnx", "-formats", "-explain", "-trackers", "-sweep")
    pins = {name: version for kind in kinds for name, version in pinned(f"requirements{kind}.txt").items()}
    assert ranges.keys() == pins.keys()
    for name, requirement in ranges.items():
        assert requirement.specifier and "==" not in str(requirement.specifier), f"{name} is pinned"
        assert pins[name] in requirement.specifier, name
    assert names_of(extras["all"])["pytorch-ecg"].extras == {"train", "onnx", "formats", "explain", "completion"}


def test_the_extras_of_the_message_are_those_of_pyproject() -> None:
    modules = {"scikit-learn": "sklearn"}
    extras = PYPROJECT["project"]["optional-dependencies"]
    for extra, names in EXTRAS.items():
        assert {modules.get(name, name) for name in names_of(extras[extra])} == set(names)
    assert missing_package(ModuleNotFoundError(name="torch.nn")).startswith("this needs torch, ")
    assert missing_package(ModuleNotFoundError(name="pydicom")).endswith("pip install -r requirements-formats.txt")
    assert missing_package(ModuleNotFoundError(name="loaders.missing")) == ""


def test_one_version_everywhere() -> None:
    version = PYPROJECT["project"]["version"]
    assert version == project_version() == pytorch_ecg.__version__
    (newest, date), *_ = re.findall(r"^## \[(.+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.M)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert newest == version == citation["version"] and date == citation["date-released"]
    assert citation["cff-version"] == "1.2.0" and citation["license"] == PYPROJECT["project"]["license"] == "MIT"
    assert citation["title"] == PYPROJECT["project"]["name"] and citation["authors"] == PYPROJECT["project"]["authors"]


def test_the_workflow_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["test"]["steps"][-1] == {"run": ".ci/run"}
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize(
    ("started", "words"),
    [
        ("commander.py", ["python", "commander.py"]),
        ("/opt/venv/bin/pytorch-ecg", ["pytorch-ecg"]),
        ("pytorch-ecg.exe", ["pytorch-ecg"]),
        ("/opt/lib/pytorch_ecg/__main__.py", ["python", "-m", "pytorch_ecg"]),
        ("/opt/lib/pytest/__main__.py", ["python", "commander.py"]),
    ],
)
def test_the_program_is_named_as_it_was_started(
    started: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [started, "--help"])
    assert program_words() == words
