"""The house rules that can be read off the files: which way imports go, what is pinned, what start-up brings in."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("commands", "inference", "loaders", "models", "toolbox", "benchmarks", "pytorch_ecg")
CODE = sorted(
    path.relative_to(ROOT)
    for folder in ("", *PACKAGES)
    for path in ((ROOT / folder).rglob("*.py") if folder else ROOT.glob("*.py"))
)
OWN = {*PACKAGES, "args", "commander", "trainer", "setup"}

# Layers, ground floor first: a room imports from itself and from lower layers. No arrow goes up, lazy or not.
TOOLBOX = (
    ("toolbox.utils",),
    ("toolbox.options", "toolbox.metrics", "toolbox.logger", "toolbox.plotter"),
    ("toolbox.losses", "toolbox.optimizers", "toolbox.schedulers", "toolbox.runs"),
    ("toolbox.training",),
    ("toolbox.reports",),
    ("toolbox.holter", "toolbox.search"),
    ("toolbox.export",),
)
LOADERS = (
    ("toolbox.utils",),
    ("loaders.names",),
    ("loaders.options", "loaders.io", "loaders.dsp"),
    ("loaders.conflicts", "loaders.beats"),
    ("loaders.sources",),
    ("loaders.datasets",),
    ("loaders",),
)
MODELS = (("toolbox.utils",), ("models.options",), ("models",))
OPTIONS = (
    "commands.label_options",
    "commands.options",
    "commands.sweep_options",
    "inference.options",
    "loaders.conflicts",
    "loaders.options",
    "models.options",
    "toolbox.options",
)
# What the rooms on top may import beside themselves: whole packages, or single modules.
ON_TOP = {
    "trainer": ("toolbox",),
    "inference": ("loaders", "toolbox", "models"),  # models: a checkpoint holds weights, not the network
    "args": (*OPTIONS, "toolbox.utils", "toolbox.runs.folders"),
    "commands": ("args", "trainer", "inference", "loaders", "models", "toolbox"),
    "commander": ("args", "commands", "inference", "loaders", "models", "toolbox", "trainer"),
    "benchmarks": tuple(OWN),
    "pytorch_ecg": (),
    "setup": ("pytorch_ecg",),
}


def module_name(path: Path) -> str:
    """The dotted name of a file of this project."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file of this project."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, inside functions, too."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own(path: Path) -> set[str]:
    """The modules of this project that a file imports."""
    modules = {module_name(each) for each in CODE}
    return {name for name in imports(path) if name.split(".")[0] in OWN and name in modules}


def place_of(name: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str]:
    """The layer and the room that a module stands in: the longest room that its name begins with."""
    rooms = {room: level for level, layer in enumerate(layers) for room in layer}
    fitting = [room for room in rooms if name == room or name.startswith(f"{room}.")]
    assert fitting, f"{name} stands in no room of {list(rooms)}"
    room = max(fitting, key=len)
    return rooms[room], room


@pytest.mark.parametrize("path", [p for p in CODE if p.parts[0] in ("loaders", "models", "toolbox")], ids=str)
def test_arrows_go_one_way(path: Path) -> None:
    layers = {"loaders": LOADERS, "models": MODELS, "toolbox": TOOLBOX}[path.parts[0]]
    me = module_name(path)
    if me == "toolbox":
        assert own(path) <= {"toolbox.utils"}
        return
    level, room = place_of(me, layers)
    for name in own(path) - {"toolbox", path.parts[0]}:
        below, other = place_of(name, layers)
        assert below < level or other == room, f"{me} imports {name}"


@pytest.mark.parametrize("path", [p for p in CODE if p.parts[0].removesuffix(".py") in ON_TOP], ids=str)
def test_rooms_on_top_import_what_lies_below(path: Path) -> None:
    me = path.parts[0].removesuffix(".py")
    allowed = ON_TOP[me]
    for name in own(path):
        inside = name == me or name.startswith(f"{me}.") or name in ("commands", "inference", "loaders", "models")
        assert inside or any(name == one or name.startswith(f"{one}.") for one in allowed), f"{me} imports {name}"


def registered(path: Path) -> Iterator[str]:
    """The modules that a file names in a table, as "package.module:function"."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = re.fullmatch(r"([\w.]+):\w+", node.value)
            if match and match[1].split(".")[0] in OWN:
                yield match[1]


def test_no_circle_is_left() -> None:
    modules = {module_name(path): path for path in CODE}
    graph = {name: (own(path) | {*registered(path)}) - {name} for name, path in modules.items()}
    for name, others in graph.items():  # a package's own file is imported with each of its modules; that is no circle
        graph[name] = {one for one in others if not name.startswith(f"{one}.")}
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        state[name] = 1
        for other in sorted(graph.get(name, ())):
            assert state.get(other) != 1, f"circle: {' -> '.join((*trail[trail.index(other) :], other))}"
            if other not in state:
                visit(other, (*trail, other))
        state[name] = 2

    for name in sorted(graph):
        if name not in state:
            visit(name, (name,))


def test_commander_is_imported_by_nobody_and_commands_by_the_top_alone() -> None:
    for path in CODE:
        if path.parts[0] != "benchmarks":
            assert not any(name.split(".")[0] == "commander" for name in imports(path)), path
        if path.parts[0] not in ("benchmarks", "commands", "commander.py", "args.py"):
            assert not any(name.split(".")[0] == "commands" for name in imports(path)), path


@pytest.mark.parametrize("module", ["beat_table", "files", "lines", "load", "many", "onnx_classifier", "stream"])
def test_annotating_needs_no_torch(module: str) -> None:
    program = f"import sys, inference; inference.annotate; import inference.{module}; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_help_and_flag_errors_need_no_torch() -> None:
    program = "import sys; import commander, args; args.get_parser().format_help(); print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def requirements() -> list[str]:
    """The lines of requirements.txt that name a package."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_dependency_is_pinned_and_imported() -> None:
    names = {"scikit-learn": "sklearn", "PyYAML": "yaml"}
    imported = {name.split(".")[0] for path in CODE for name in imports(path)}
    for line in requirements():
        package, equals, version = line.partition("==")
        assert equals and re.fullmatch(r"[\d.]+", version), f"{line} is not pinned"
        # TensorBoard is what torch.utils.tensorboard writes with
        module = names.get(package, package)
        assert module in imported or (module == "tensorboard" and "torch" in imported), f"{package} is not imported"
    assert "torch==2.13.0" in requirements()


def test_third_parties_are_all_listed() -> None:
    listed = {line.split("==")[0].lower() for line in requirements()} | {"sklearn", "yaml"}
    optional = {"onnx", "onnxruntime", "ecgdatakit", "argcomplete", "captum", "mlflow", "wandb", "trackio"}
    optional |= {"optuna", "psycopg", "sqlalchemy"}
    optional |= {"dask", "distributed", "fsspec"}
    # beside which the project is measured; and what runs its notebooks and takes its pictures
    benchmarks = {"sleepecg", "neurokit2", "nbclient", "nbformat", "playwright", "PIL"}
    for path in CODE:
        allowed = listed | optional | (benchmarks if path.parts[0] == "benchmarks" else set())
        for name in imports(path):
            module = name.split(".")[0]
            if (str(path), module) == ("setup.py", "setuptools"):  # runs when a wheel is built
                continue
            assert module in sys.stdlib_module_names or module in OWN or module in allowed, f"{path}: {module}"


def test_the_readme_names_the_commands_that_ci_runs() -> None:
    readme, ci = (ROOT / "README.md").read_text(encoding="utf-8"), (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "python -m pytest" in readme and "python -m pytest" in ci


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in CODE}
    assert {path: lines for path, lines in lengths.items() if lines > 300} == {}


def test_the_page_of_all_flags_is_fresh() -> None:
    from commands.help import flags_page

    page = (ROOT / "docs" / "flags.md").read_text(encoding="utf-8")
    assert page == flags_page(), "python -m commands.help > docs/flags.md"
