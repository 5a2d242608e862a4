"""The house rules that can be read off the files: which way imports go, what is pinned, what start-up brings in."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = sorted(
    path
    for folder in ("", "actions", "loaders", "models", "toolbox", "benchmarks")
    for path in (ROOT / folder).glob("*.py")
)
OWN = {
    "benchmarks",
    "loaders",
    "models",
    "toolbox",
    "trainer",
    "predictor",
    "streaming",
    "args",
    "commander",
    "actions",
}


def imports(path: Path, top_level_only: bool = False) -> set[str]:
    """The modules that a file imports, as dotted names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(path: Path) -> set[str]:
    """The modules of this project that a file imports."""
    return {name for name in imports(path) if name.split(".")[0] in OWN}


@pytest.mark.parametrize("path", [p for p in CODE if p.parent.name in ("models", "loaders")], ids=lambda p: p.stem)
def test_models_and_loaders_know_only_themselves_and_the_utilities(path):
    for name in own(path):
        assert name.startswith(path.parent.name) or name.startswith("toolbox.utils"), name


@pytest.mark.parametrize("path", [p for p in CODE if p.parent.name == "toolbox"], ids=lambda p: p.stem)
def test_the_toolbox_knows_only_itself(path):
    assert all(name.startswith("toolbox") for name in own(path))


@pytest.mark.parametrize("stem", ["utils"])
def test_the_utilities_know_nobody(stem):
    assert own(ROOT / "toolbox" / f"{stem}.py") == set()


def test_the_trainer_gets_models_and_batches_as_arguments():
    assert all(name.startswith("toolbox") for name in own(ROOT / "trainer.py"))


@pytest.mark.parametrize("module", ["predictor", "streaming"])
def test_who_annotates_gets_the_model_as_an_argument_and_needs_no_torch(module):
    for name in own(ROOT / f"{module}.py"):
        assert name.startswith(("toolbox", "loaders", "predictor")), name
    program = f"import sys; import {module}; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_the_command_line_reads_registries_and_run_folders_only():
    allowed = ("models", "loaders", "loaders.augmentation", "loaders.splicing", "toolbox")
    for name in own(ROOT / "args.py"):
        module = name.rsplit(".", 1)[0] if name.split(".")[-1][0].isupper() or name.count(".") > 1 else name
        assert module in (*allowed, "toolbox.flags", "toolbox.patient_flags", "toolbox.runs", "toolbox.utils"), name


def test_nobody_imports_the_entry_point_and_it_alone_the_actions():
    for path in CODE:
        if path.parent.name != "benchmarks":
            assert not any(name.split(".")[0] == "commander" for name in imports(path)), path
        if path.parent.name not in ("benchmarks", "actions") and path.name != "commander.py":
            assert not any(name.split(".")[0] == "actions" for name in imports(path)), path


def test_help_and_flag_errors_need_no_torch():
    program = "import sys; import commander, args; args.get_parser().format_help(); print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_every_dependency_is_pinned_and_imported():
    names = {"scikit-learn": "sklearn", "PyYAML": "yaml"}
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    imported = {name.split(".")[0] for path in CODE for name in imports(path)}
    for line in lines:
        package, equals, version = line.partition("==")
        assert equals and re.fullmatch(r"[\d.]+", version), f"{line} is not pinned"
        # TensorBoard is what torch.utils.tensorboard writes with
        module = names.get(package, package)
        assert module in imported or (module == "tensorboard" and "torch" in imported), f"{package} is not imported"
    assert "torch==2.13.0" in lines


def test_third_parties_are_all_listed():
    listed = {
        line.split("==")[0].lower() for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    }
    listed |= {"sklearn", "yaml"}
    benchmarks = {"pandas", "sleepecg", "neurokit2"}  # what the project is measured beside; wfdb brings pandas
    for path in CODE:
        for name in imports(path):
            module = name.split(".")[0]
            allowed = listed | (benchmarks if path.parent.name == "benchmarks" else set())
            assert module in sys.stdlib_module_names or module in OWN or module in allowed, f"{path.name}: {module}"


def test_the_readme_names_the_commands_that_ci_runs():
    readme, ci = (ROOT / "README.md").read_text(encoding="utf-8"), (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "python -m pytest" in readme and "python -m pytest" in ci


def test_the_readme_names_every_flag():
    from args import get_parser

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for action in get_parser()._actions:
        assert any(option in readme for option in action.option_strings), action.option_strings
