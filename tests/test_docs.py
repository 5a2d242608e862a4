"""The documentation: links lead somewhere, commands are read by the parser, examples run, figures come from results."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from args import parse_args
from benchmarks.decisions import shown_table
from pytorch_ecg.checkout import FOLDERS, project_files
from tests.conftest import ROOT, SMALL

PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "notebooks", "results")),
]
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.M | re.S)


@cache
def text_of(page: Path) -> str:
    """The page's Markdown."""
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The page's headings as GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name}: {target} is not among {sorted(anchors(linked))}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_are_named_exist(page: Path) -> None:
    folders = "|".join((*FOLDERS, "benchmarks", "examples", "notebooks", "results", "tests", "pytorch_ecg"))
    examples = ("models/mynet.py", "recipes/NAME.yaml", "notebooks/done.ipynb")
    for name in re.findall(rf"`((?:{folders})/[\w./]+\.\w+)`", text_of(page)):
        assert (ROOT / name).exists() or name in examples, f"{page.name} names {name}"


def commands(page: Path) -> list[str]:
    """The command lines of this program in a page's code blocks and tables."""
    blocks = [body.replace("\\\n", " ") for language, body in FENCE.findall(text_of(page)) if language in ("bash", "")]
    inline = re.findall(r"`([^`]*commander\.py [^`]*|pytorch-ecg [^`]*)`", FENCE.sub("", text_of(page)))
    lines = [part.strip() for line in "\n".join(blocks).splitlines() for part in re.split(r"&&|\|", line)]
    starts = ("python commander.py ", "pytorch-ecg ", "torchrun ")
    return [line for line in (*lines, *inline) if line.startswith(starts) and "..." not in line]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_are_read_by_the_parser(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for line in commands(page):
        words = shlex.split(line, comments=True)
        start = next(k for k, word in enumerate(words) if word in ("commander.py", "pytorch-ecg"))
        try:
            parse_args(words[start + 1 :])
        except SystemExit as stop:
            assert not stop.code, f"{page.name}: {line}"


def test_the_commands_that_are_read_are_many() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 50
    assert len(text_of(ROOT / "README.md").encode()) <= 8000


def percent(experiment: str, *names: str, spread: bool = False) -> str:
    """Scores of results/EXPERIMENT.json as the README's table shows them."""
    scores = json.loads((ROOT / "results" / f"{experiment}.json").read_text(encoding="utf-8"))["test"]
    values = [f"{scores[name]['mean']:.2%}"[:-1] for name in names]
    return f"{values[0]} ± {scores[names[0]]['std']:.2%}"[:-1] if spread else " / ".join(values)


@pytest.mark.parametrize("recipe", ["interpatient", "live", "best", "balanced", "best_rows"])
def test_the_figures_of_the_readme_are_those_of_results(recipe: str) -> None:
    rows = [line for line in text_of(ROOT / "README.md").splitlines() if line.startswith(f"| `{recipe}`")]
    assert len(rows) == 1
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
    classes = ("per_class/Supraventricular ectopic", "per_class/Ventricular ectopic")
    pairs = [percent(recipe, f"{name}/Se", f"{name}/+P") for name in classes]
    assert cells[2:] == [percent(recipe, "acc1", spread=True), percent(recipe, "macro_f1", spread=True), *pairs]


def test_every_kept_result_is_json_that_the_page_of_results_names() -> None:
    def refuse(text: str) -> None:
        raise ValueError(f"{text} is no JSON")

    page = text_of(ROOT / "results" / "README.md")
    for file in sorted((ROOT / "results").glob("*.json")):
        json.loads(file.read_text(encoding="utf-8"), parse_constant=refuse)
        assert f"`{file.name}`" in page, file.name


def test_the_figures_of_adapt_are_those_of_results() -> None:
    page = text_of(ROOT / "docs" / "new-patients.md")
    kept = json.loads((ROOT / "results" / "decisions.json").read_text(encoding="utf-8"))
    rows = [line.replace("| DS1-svdb |", "| svdb:dev |") for line in shown_table(kept["by seed"]).splitlines()]
    assert len(rows) == 14 and all(f"{row}\n" in page for row in rows)
    leads = json.loads((ROOT / "results" / "decisions_leads.json").read_text(encoding="utf-8"))
    for row in shown_table(leads["by seed"]).splitlines()[2:]:
        recipe, _, database = row.split(" | ")[0].strip("| ").partition(": ")
        title = f"`{recipe}`: {'DS1' if database == 'mitdb' else 'svdb:dev'}"
        assert f"| {title} | {row.split(' | ', 1)[1]}\n" in page
    tested = json.loads((ROOT / "results" / "adapt_ds2.json").read_text(encoding="utf-8"))["by seed"]["DS2"]
    for method in ("none", "smooth", "votes"):
        for title, results in (
            (f"`{method}`", [each[method] for each in tested]),
            (f"`{method}`, without record 232", [each[method]["without 232"] for each in tested]),
        ):
            values = [[each[key] for each in results] for key in ("accuracy", "S F1", "V F1", "F F1", "j_kappa")]
            cells = [f"{np.mean(column):.3f} ± {np.std(column, ddof=1):.3f}" for column in values]
            assert f"| {title} | {' | '.join(cells)} |" in page


def test_the_first_runs_figures_are_those_of_results() -> None:
    classes = json.loads((ROOT / "results" / "first.json").read_text(encoding="utf-8"))["per_class"]
    found = [classes[name]["Se"] for name in ("Supraventricular ectopic", "Ventricular ectopic", "Fusion")]
    sentence = " ".join(text_of(ROOT / "README.md").split())
    claim = "It finds {:.0f} % of the S, {:.0f} % of the V and {:.0f} % of the F beats"
    assert claim.format(*(100 * share for share in found)) in sentence


def apply_example(checkout: Path, code: str) -> None:
    """Carry out an example of docs/adding.md: write or extend a file, or add a line to a table."""
    place, _, body = code.partition("\n")
    if match := re.fullmatch(r"# in (\w+) of (\S+)", place):
        file = checkout / match[2]
        bracket = "{" if ":" in body else "("
        opening = rf"(\n{match[1]}\b[^{bracket}]*\{bracket})"
        source, count = re.subn(opening, rf"\1{body.strip()} ", file.read_text(encoding="utf-8"))
        assert count == 1, place
        file.write_text(source, encoding="utf-8")
    elif match := re.fullmatch(r"# (at the top of|above (\w+) in) (\S+)", place):
        file = checkout / match[3]
        source = file.read_text(encoding="utf-8")
        parts = re.split(rf"(?m)^(?={match[2] or 'import|from (?!__future__)'}\b)", source, maxsplit=1)
        assert len(parts) == 2, place
        file.write_text(f"{parts[0]}{body}\n\n{parts[1]}", encoding="utf-8")
    else:
        file = checkout / place.removeprefix("# ")
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(f"{before}\n\n{body}", encoding="utf-8")


PROGRAM = """
import sys
import commander
for line in sys.stdin:
    commander.main(line.split())
"""


def test_the_examples_of_adding_things_run(tmp_path: Path) -> None:
    for path in project_files():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, tmp_path / path)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    examples = [
        body for language, body in FENCE.findall(text_of(ROOT / "docs" / "adding.md")) if language in ("python", "text")
    ]
    assert len(examples) == 10
    for code in examples:
        apply_example(tmp_path, code)
    time = np.arange(0, 30, 1 / 250)
    np.save(tmp_path / "night.npy", np.exp(-0.5 * (((time + 0.5) % 1 - 0.5) / 0.02) ** 2))  # a beat a second
    flags = f"--dataset synthetic {' '.join(SMALL)}"
    lines = [
        f"{flags} --model-name mynet --criterion smooth --epochs 1",
        "--predict night.npy --fs 250",
        f"--prepare {flags} --write-records ecg_data/cudb",
        "--train-on cudb --model-name mynet --epochs 1",
    ]
    command = [sys.executable, "-c", PROGRAM]
    answer = subprocess.run(command, cwd=tmp_path, input="\n".join(lines), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    lines = (tmp_path / "night.ecg.csv").read_text(encoding="utf-8").splitlines()
    assert 25 <= len([line for line in lines if not line.startswith("# ")]) <= 32
    (run,) = (tmp_path / "ecg_data" / "ecg" / "runs").glob("*/")
    assert run.name == "ecg_mynet_opadam_StepLR_lr0.01_nll_bs128_oncudb_1"
