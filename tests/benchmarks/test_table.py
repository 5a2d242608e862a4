"""benchmarks/table.py: a small table on synthetic records, broken off, gone on with, and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import table
from toolbox.utils import UserError, read_json
from toolbox.utils.signals import Interrupted
from trainer import Training

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "flags": {
        "dataset": "synthetic", "synthetic-patients": 4, "synthetic-minutes": 2, "criterion": "nll", "monitor": "acc1",
    },
    "models": {"cnn1d_3": {"epochs": 2}, "lstm_1": {"epochs": 1, "lr": 0.002}},
    "samplings": ["equal", "none"],
    "protocols": {"predecessor": {"validate-on": "test"}, "honest": {"validate-on": "val"}},
    "published": {"acc1": {"cnn1d_3": [0.9, 0.8], "lstm_1": [0.7, 0.6]}},
}  # fmt: skip


def write(path: Path, **changes: Any) -> str:
    path.write_text(yaml.safe_dump({**SMALL, **changes}, sort_keys=False))
    return str(path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    folder = tmp_path_factory.mktemp("table")
    flags = ["--recipe", write(folder / "recipe.yaml"), "--root-dir", str(folder), "--out", str(folder / "out.json")]
    table.main(flags)
    return flags, folder


def test_every_cell_is_a_run_and_a_line(filled: tuple[list[str], Path]) -> None:
    _, folder = filled
    lines = read_json(folder / "out.json")["cells"]
    stands = [(line["model"], line["sampling"], line["protocol"]) for line in lines]
    assert stands == [
        (model, sampling, protocol)
        for model in ("cnn1d_3", "lstm_1")
        for sampling in ("equal", "none")
        for protocol in ("predecessor", "honest")
    ]
    assert len({line["run"] for line in lines}) == 8
    for line in lines:
        run = folder / "synthetic" / "runs" / line["run"]
        options = read_json(run / "config.json")["options"]
        assert options["model_name"] == line["model"] and options["sampler"] == {"equal": "equal"}.get(line["sampling"])
        assert options["validate_on"] == {"predecessor": "test", "honest": "val"}[line["protocol"]]
        logged = {entry["epoch"]: entry for entry in read_json(run / "logger.json")["logged"]["val"]}
        assert line["best_epoch"] == max(logged, key=lambda epoch: (logged[epoch]["acc1"], -epoch))
        tested = sorted(path.name for path in (run / "pred").glob("test_results_ep*.json"))
        if line["protocol"] == "predecessor":
            assert not tested and line["acc1"] == logged[line["best_epoch"]]["acc1"]
        else:  # looked at once, by the epoch that validation chose
            assert tested == [f"test_results_ep{line['best_epoch']}.json"]


def test_what_is_finished_is_not_trained_again(filled: tuple[list[str], Path], capsys: pytest.CaptureFixture) -> None:
    flags, folder = filled
    before, runs = (folder / "out.json").read_text(), set((folder / "synthetic" / "runs").glob("*/"))
    table.main(flags)
    assert (folder / "out.json").read_text() == before and set((folder / "synthetic" / "runs").glob("*/")) == runs
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 6
    assert shown[0] == "| model | sampler | epochs | acc1: published | acc1: predecessor | acc1: honest |"
    lines = read_json(folder / "out.json")["cells"]
    ours = " | ".join(f"{line['acc1']:.3f}" for line in lines[2:4])
    assert shown[3] == f"| cnn1d_3 | none | 2 | 0.800 | {ours} |"


def test_other_flags_are_other_cells(filled: tuple[list[str], Path], tmp_path: Path) -> None:
    _, folder = filled
    lines = read_json(folder / "out.json")["cells"]
    changed = table.read_recipe(write(tmp_path / "other.yaml", flags={**SMALL["flags"], "lr": 0.5}))
    found = [table.find(lines, cell) is not None for cell in table.cells(changed)]
    assert found == [False] * 4 + [True] * 4 or found == [False] * 8  # lstm_1 has a rate of its own
    assert "| - | - |" in table.markdown(changed, lines)


def test_it_goes_on_within_a_run(filled: tuple[list[str], Path], tmp_path: Path, monkeypatch) -> None:
    _, folder = filled
    flags = ["--recipe", write(tmp_path / "recipe.yaml", samplings=["none"], published={}), "--root-dir", str(tmp_path)]
    flags += ["--out", str(tmp_path / "out.json")]
    advance, epochs = Training.run_epoch, []

    def broken_off(training: Training, *rest: Any) -> Any:
        epochs.append(training.epoch + 1)
        if len(epochs) == 4:  # the second epoch of the honest run of the first model
            raise Interrupted(2, "epoch 1")
        return advance(training, *rest)

    monkeypatch.setattr(Training, "run_epoch", broken_off)
    with pytest.raises(Interrupted):
        table.main(flags)
    assert len(read_json(tmp_path / "out.json")["cells"]) == 1
    table.main(flags)
    assert epochs == [1, 2, 1, 2, 2, 1, 1]  # not the first epoch again
    ours, whole = (read_json(path / "out.json")["cells"] for path in (tmp_path, folder))
    for line in ours:  # as if it had never been broken off
        same = next(other for other in whole if table_place(other) == table_place(line))
        assert {key: line[key] for key in table.SCORES} == {key: same[key] for key in table.SCORES}


def table_place(line: dict[str, Any]) -> tuple[str, ...]:
    return line["model"], line["sampling"], line["protocol"]


def test_a_recipe_that_is_none_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no recipe of a table: it\.protocols is missing"):
        path = tmp_path / "lacks.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in SMALL.items() if key != "protocols"}))
        table.read_recipe(str(path))
    with pytest.raises(UserError, match="published acc1 needs a figure of each sampling"):
        table.read_recipe(write(tmp_path / "short.yaml", samplings=["none"]))


def test_the_recipe_of_the_predecessors_table_is_whole() -> None:
    recipe = table.read_recipe(str(ROOT / "recipes" / "table.yaml"))
    assert len(table.cells(recipe)) == 42
    published = recipe["published"]
    assert published["acc1"]["resnet1d_v2_18"] == [0.980, 0.981, 0.987]
    assert published["acc_class"]["cnn1d_3"] == [0.889, 0.896, 0.817]
