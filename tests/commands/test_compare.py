"""--compare and --list: which run is better, by how much, and whether that is more than chance."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import commander
from toolbox.reports.scored_beats import ScoredBeats, write_scored_beats

NAMES = ["Normal", "Supraventricular ectopic", "Ventricular ectopic"]
PATIENTS = 6
BEATS = 30  # of each patient: ten of each class
LABELS = np.tile(np.repeat(np.arange(3), 10), PATIENTS)


def make_run(root: Path, name: str, wrong: list[int], /, tested: bool = True, **options: object) -> Path:
    """A run whose network calls so many of each patient's V beats N; with its beats, as --test keeps them."""
    folder = root / "ecg" / "runs" / name
    (folder / "pred").mkdir(parents=True)
    version = int(name.rpartition("_")[2])
    flags = {"model_name": "mlp", "dataset": "ecg", "split": "interpatient", "fold": None, "seed": 0, "lr": 0.01}
    flags |= {"monitor": "j_kappa", **options}
    data = {"fingerprint": "f", "source": "s", "records": {"test": [f"r{k}" for k in range(PATIENTS)]}}
    started = f"2026-01-01T00:00:{version:02}+00:00"
    config = {"name": name, "version": version, "started": started, "options": flags, "class_names": NAMES}
    (folder / "config.json").write_text(json.dumps({**config, "data": data, "git": {"commit": "c", "dirty": False}}))
    called = LABELS.copy()
    for patient, many in enumerate(wrong):
        called[patient * BEATS + 20 : patient * BEATS + 20 + many] = 0
    accuracy = float((called == LABELS).mean())
    f1 = 2 * (60 - sum(wrong)) / (120 - sum(wrong))
    scores = {"acc1": accuracy, "j_kappa": accuracy - 0.05, "kappa": accuracy, "macro_f1": accuracy}
    scores["per_class"] = {NAMES[1]: {"F1": 1.0}, NAMES[2]: {"F1": f1}}
    epochs = [{"epoch": k, "loss": 1 / k, "seconds": 2.0, **scores} for k in (1, 2)]
    log = {"name": name, "date_and_time": "", "options": flags, "info": {}, "logged": {"train": epochs, "val": epochs}}
    (folder / "logger.json").write_text(json.dumps(log))
    if tested:
        (folder / "pred" / "test_results_ep2.json").write_text(json.dumps({"epoch": 2, **scores}))
        records = np.repeat([f"r{k}" for k in range(PATIENTS)], BEATS)
        origin = {"record": records, "patient": records, "symbol": np.full(len(LABELS), "N")}
        origin["time"] = np.tile(np.arange(BEATS), PATIENTS).astype(float)
        sure = np.where(np.arange(3) == called[:, None], 0.8, 0.1).astype(np.float32)
        write_scored_beats(folder, 2, ScoredBeats(np.arange(len(LABELS)), LABELS, sure, origin, tuple(NAMES)))
    return folder


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """The one line of a command line that is refused with exit code 2."""
    monkeypatch.setattr("sys.argv", ["commander.py", *words])
    try:
        code = commander.cli()
    except SystemExit as end:  # of the parser
        code = end.code
    errors = capsys.readouterr().err
    assert code == 2 and "Traceback" not in errors
    return errors


def compare(root: Path, *words: str) -> dict:
    """The result of a --compare below `root`."""
    return commander.main(["--compare", *words, "--root-dir", str(root)])


def test_the_better_run_is_first_and_differences_are_over_patients(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    make_run(tmp_path, "ecg_mlp_1", [5, 5, 5, 5, 5, 5], lr=0.1)
    make_run(tmp_path, "ecg_mlp_2", [1, 2, 1, 2, 1, 2])
    result = compare(tmp_path)
    assert result["runs"] == ["ecg_mlp_2", "ecg_mlp_1"]
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80 or "written" in text.splitlines()[-1]
    assert "1: lr=0.01" in text and "2: lr=0.1" in text
    # every patient is worse: 21 V beats of 60 more are missed, so all draws are below 0
    assert re.search(r"2 against 1: j-kappa -0\.\d{3} \[-0\.\d{3}, -0\.\d{3}\]", text)
    assert "alone right: 0 beats, and 1: 21" in text


def test_the_files_hold_the_same(tmp_path: Path):
    make_run(tmp_path, "ecg_mlp_1", [5] * 6, lr=0.1)
    make_run(tmp_path, "ecg_mlp_2", [1] * 6)
    page, table, latex = (Path(path) for path in compare(tmp_path, "--out", str(tmp_path / "out"))["files"])
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["run"], row["--lr"], row["scores of"], row["epoch"]) for row in rows] == [
        ("ecg_mlp_2", "0.01", "test", "2"),
        ("ecg_mlp_1", "0.1", "test", "2"),
    ]
    assert float(rows[0]["acc"]) == pytest.approx(1 - 6 / 180) and float(rows[1]["V F1"]) == pytest.approx(2 * 30 / 90)
    assert r"\toprule" in latex.read_text() and "mlp & 0.01 & $96.67$" in latex.read_text()
    html = page.read_text()
    assert html.count("<polyline") == 4  # loss and j-kappa of two runs
    assert "<td>r0</td><td>30</td><td>3.33</td><td>16.67</td><td>+13.33</td>" in html
    assert "<td>0:21.0</td><td>V</td><td>V</td><td>N</td>" in html
    assert "http" not in html.replace("http-equiv", "")


def test_seeds_are_one_entry_with_mean_and_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for seed, wrong in enumerate(([1] * 6, [3] * 6), start=0):
        make_run(tmp_path, f"ecg_mlp_{seed + 1}", wrong, seed=seed)
    make_run(tmp_path, "ecg_mlp_3", [9] * 6, lr=0.1)
    compare(tmp_path)
    text = capsys.readouterr().out
    assert "mlp (2 seeds)" in text and "93.33 +- 4.71" in text  # of 96.67 and 90.00
    assert "1: ecg_mlp_1, ecg_mlp_2" in text.replace("\n   ", " ")


def test_named_runs_keep_their_order_and_patterns_and_numbers_name_them(tmp_path: Path):
    make_run(tmp_path, "ecg_mlp_1", [5] * 6, lr=0.1)
    make_run(tmp_path, "ecg_mlp_2", [1] * 6)
    make_run(tmp_path, "ecg_cnn_3", [3] * 6, model_name="cnn1d_3")
    assert compare(tmp_path, "1", "ecg_mlp_2")["runs"] == ["ecg_mlp_1", "ecg_mlp_2"]
    assert compare(tmp_path, "ecg_mlp_*")["runs"] == ["ecg_mlp_2", "ecg_mlp_1"]
    assert compare(tmp_path, "all", "--sort", "acc1")["runs"] == ["ecg_mlp_2", "ecg_cnn_3", "ecg_mlp_1"]
    assert compare(tmp_path, "--model-name", "cnn1d_3")["runs"] == ["ecg_cnn_3"]


def test_what_cannot_be_compared_is_named_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    make_run(tmp_path, "ecg_mlp_2", [2] * 6, split="kaggle")
    make_run(tmp_path, "ecg_mlp_3", [2] * 6, tested=False)
    other = make_run(tmp_path, "ecg_mlp_4", [2] * 6, lr=0.5)
    config = json.loads((other / "config.json").read_text())
    config["data"]["records"]["test"] = ["r9"]
    (other / "config.json").write_text(json.dumps(config))
    result = compare(tmp_path, "ecg_mlp_1", "2", "3", "4")
    assert result["runs"] == ["ecg_mlp_1"]
    assert result["refused"] == {
        "ecg_mlp_2": "--split kaggle, not interpatient",
        "ecg_mlp_3": "scores of val, not test",
        "ecg_mlp_4": "other records test it",
    }
    assert "not compared: ecg_mlp_4: other records test it" in capsys.readouterr().out


def test_runs_that_were_tested_before_beats_were_kept_still_have_their_scores(tmp_path: Path, capsys):
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    old = make_run(tmp_path, "ecg_mlp_2", [2] * 6, lr=0.1)
    (old / "pred" / "test_beats_ep2.npz").unlink()
    assert compare(tmp_path)["runs"] == ["ecg_mlp_1", "ecg_mlp_2"]
    assert "2 against 1: no beats are kept: run --test again, of both" in capsys.readouterr().out


def test_list_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    before = sorted(tmp_path.rglob("*"))
    assert commander.main(["--list", "--root-dir", str(tmp_path)])["files"] == []
    assert "ecg_mlp_1" in capsys.readouterr().out and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("class_names", None),
        ("class_names", -1),
        ("data", "x"),
        ("data", []),
        ("git", "x"),
        ("git", 1),
        ("data", {"records": 1}),
    ],
)
def test_a_run_whose_config_was_edited_is_left_out(tmp_path: Path, capsys, key, value):
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    make_run(tmp_path, "ecg_mlp_2", [1] * 6)
    edited = next(tmp_path.rglob("ecg_mlp_2/config.json"))
    edited.write_text(json.dumps({**json.loads(edited.read_text()), key: value}))
    assert commander.main(["--list", "--root-dir", str(tmp_path)])["runs"] == ["ecg_mlp_1"]
    assert f"config.json is damaged: it.{key}" in capsys.readouterr().err


def test_numbers_that_equal_nothing_and_control_characters_are_shown(tmp_path: Path, capsys):
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    config = next(tmp_path.rglob("ecg_mlp_1/config.json"))
    content = json.loads(config.read_text())
    content["options"] |= {"fold": float("nan"), "split": "\x1b[31m"}
    config.write_text(json.dumps(content))
    assert commander.main(["--list", "--root-dir", str(tmp_path)])["runs"] == ["ecg_mlp_1"]
    assert "\x1b" not in capsys.readouterr().out


def test_files_of_others_are_kept(tmp_path: Path, capsys, monkeypatch):
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    mine = tmp_path / "out" / "compare.csv"
    mine.parent.mkdir()
    mine.write_text("my own table\n")
    errors = refused(capsys, monkeypatch, "--compare", "--root-dir", str(tmp_path), "--out", str(mine.parent))
    assert "compare.csv was not written by --compare, and is kept" in errors
    assert mine.read_text() == "my own table\n"
    assert sorted(path.name for path in mine.parent.iterdir()) == ["compare.csv"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--compare", "ecg_mpl_1"], "no run of this name, number or pattern, did you mean 'ecg_mlp_1'?"),
        (["--compare", "--test"], "--compare and --list look at runs that there are; leave out --test"),
        (["--compare", "--list"], "--list is a short --compare"),
        (["--sort", "acc1"], "--sort goes with --compare and --list"),
        (["--compare", "--model-name", "cnn1d_3"], "fits these flags; train one first"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, capsys, monkeypatch, words: list[str], message: str):
    make_run(tmp_path, "ecg_mlp_1", [1] * 6)
    assert message in refused(capsys, monkeypatch, *words, "--root-dir", str(tmp_path))


def test_commits_are_named_and_other_data_without_record_names_are_refused(tmp_path: Path, capsys):
    for version in (1, 2, 3):
        folder = make_run(tmp_path, f"ecg_mlp_{version}", [1] * 6, lr=version / 10)
        config = json.loads((folder / "config.json").read_text())
        config["git"]["commit"] = f"{min(version, 2)}" * 40
        config["data"] = {"fingerprint": "ab" * 20 if version < 3 else "cd" * 20, "source": "Kaggle's files"}
        (folder / "config.json").write_text(json.dumps(config))
    result = compare(tmp_path, "1", "2", "3")
    assert result["refused"] == {"ecg_mlp_3": "data Kaggle's files (cdcdcdcd), not Kaggle's files (abababab)"}
    text = " ".join(capsys.readouterr().out.split())
    assert "the runs are of 2 commits of the code" in text and "(1111111111: ecg_mlp_1; 2222222222: ecg_mlp_2)" in text


def test_the_page_shows_every_class_every_record_and_the_band_of_seeds(tmp_path: Path):
    make_run(tmp_path, "ecg_mlp_1", [5] * 6, lr=0.1)
    for seed in (1, 2):
        make_run(tmp_path, f"ecg_mlp_{seed + 1}", [seed] * 6, seed=seed)
    html = Path(compare(tmp_path)["files"][0]).read_text()
    assert html.count("<polygon") == 2 and html.count("<polyline") == 4  # of the two seeds; loss and j-kappa
    titles = re.findall(r"<td>([NSV] (?:Se|\+P|F1))</td>", html)
    assert titles == [f"{letter} {kind}" for letter in "NSV" for kind in ("Se", "+P", "F1")]
    assert html.count('class="dots"') == PATIENTS
    # 16.67 % of the first's beats are wrong, 3.33 % of the entry's; a sixth of 90 and a thirtieth of 95 per cent
    assert '<circle cx="23.0"' in html and '<circle cx="95.0"' in html
