"""commands.wrong_beats and guide: what a training and a test leave for the run's page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import commander
import commands.train
from commands.guide import guide_to
from toolbox.reports.scored_beats import read_scored_beats
from toolbox.runs.folders import read_run
from toolbox.utils import read_json

FLAGS = ["--dataset", "synthetic", "--synthetic-patients", "4", "--synthetic-minutes", "4", "--model-name", "cnn1d_3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A run of two epochs that was tested, and the epochs on its page at each writing of it."""
    root = tmp_path_factory.mktemp("root")
    pages: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        write = commands.train.write_page

        def noted(run, log, best, guide):  # type: ignore[no-untyped-def]
            pages.append(len(log["logged"]["val"]))
            return write(run, log, best, guide)

        patch.setattr("commands.train.write_page", noted)
        result = commander.main(["--root-dir", str(root), *FLAGS, "--epochs", "2", "--validate-on", "test"])
    commander.main(["--root-dir", str(root), "--test"])
    return Path(result["run"]), pages


def test_the_page_is_written_after_each_epoch_and_at_the_end(trained: tuple[Path, list[int]]) -> None:
    assert trained[1] == [1, 2, 2]


def test_validation_beats_are_kept_as_those_of_a_test(trained: tuple[Path, list[int]]) -> None:
    run, _ = trained
    (path,) = (run / "res").glob("val_beats_ep*.npz")
    epoch = int(path.stem.rpartition("ep")[2])
    val, test = read_scored_beats(run, epoch, "val"), read_scored_beats(run, epoch)
    assert val is not None and test is not None  # --validate-on test: they are the same rows
    np.testing.assert_array_equal(val.ids, test.ids)
    np.testing.assert_allclose(val.probabilities, test.probabilities, atol=1e-6)
    listed = read_json(run / "res" / f"val_results_list_ep{epoch}.json")
    assert {str(beat): [int(c), int(t)] for beat, c, t in zip(val.ids, val.called, val.labels, strict=True)} == listed


def test_examples_are_beats_called_wrong_with_what_counted(trained: tuple[Path, list[int]]) -> None:
    run, _ = trained
    (path,) = (run / "pred").glob("test_wrong_ep*.json")
    content = json.loads(path.read_text())
    predicted = read_json(run / "pred" / path.name.replace("wrong", "results_list"))
    names = read_json(run / "config.json")["class_names"]
    assert content["rows"] == len(predicted)
    assert content["wrong"] == sum(called != true for called, true in predicted.values()) > 0
    for example in content["examples"]:
        called, true = predicted[str(example["id"])]
        assert (example["called"], example["true"]) == (names[called], names[true]) and called != true
        assert example["strip"]["lead"] == "MLII" and len(example["strip"]["values"]) == 360
        assert [name for offset, name in example["strip"]["beats"] if offset == 0] == [example["true"]]
        parts = {part["name"] for part in example["why"]["parts"]}
        assert {"QRS complex", "T wave"} <= parts <= {"QRS complex", "T wave", "rest of the row", "where the row ends"}
    surest = [example["probability"] for example in content["examples"] if example["kind"] == "surest"]
    assert surest == sorted(surest, reverse=True)


def test_without_captum_the_page_says_what_to_install(
    trained: tuple[Path, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = trained

    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'captum'", name="captum")

    monkeypatch.setattr("commands.wrong_beats.attribute", missing)
    commander.main(["--root-dir", str(run.parents[2]), "--test"])
    page = (run / "report.html").read_text()
    assert "this needs captum, which is not installed" in page and "requirements-explain.txt" in page
    assert 'class="strip"' in page and 'class="why"' not in page


def test_the_guide_names_commands_and_changed_flags(trained: tuple[Path, list[int]]) -> None:
    run = read_run(trained[0])
    assert run is not None
    guide = guide_to(run)
    assert list(guide.commands) == [
        "Train the same again",
        "Resume it, for more epochs",
        "Test it",
        "Annotate a recording",
    ]
    assert guide.commands["Train the same again"].split()[2:4] == ["--config", str(run.path / "config.json")]
    assert " --test " in guide.commands["Test it"] and "--predict RECORDING" in guide.commands["Annotate a recording"]
    assert "--epochs 4" in guide.commands["Resume it, for more epochs"]
    changed = {name for name, value in run.options.items() if guide.defaults.get(name) != value}
    assert changed == {"dataset", "epochs", "model_name", "synthetic_minutes", "synthetic_patients", "validate_on"}
    assert guide.records == "" and guide.index == "../index.html"  # synthetic recordings are in no folder


def test_the_guides_command_annotates_records_and_finds_their_pages(tmp_path: Path) -> None:
    records = tmp_path / "mitdb"
    records.mkdir()
    run = tmp_path / "root" / "ecg" / "runs" / "ecg_mlp_1"
    run.mkdir(parents=True)
    options = {"dataset": "ecg", "model_name": "mlp", "records_dir": str(records)}
    config = {"options": options, "version": 1, "started": "2024-05-06T07:08:09"}
    (run / "config.json").write_text(json.dumps(config))
    loaded = read_run(run)
    assert loaded is not None
    guide = guide_to(loaded)
    words = guide.records.split()
    assert words[2:4] == ["--predict", str(records / "RECORD")] and words[-2:] == ["--out", str(run / "annotated")]
    examples = {"examples": [{"record": "208"}, {"record": "mitdb/100"}, {"record": ""}]}
    assert guide.pages(examples) == {}
    (records / "208.ecg.html").touch()
    (run / "annotated").mkdir()
    (run / "annotated" / "100.ecg.html").touch()
    assert guide.pages(examples) == {
        "208": (records / "208.ecg.html").as_uri(),
        "mitdb/100": (run / "annotated" / "100.ecg.html").as_uri(),
    }
