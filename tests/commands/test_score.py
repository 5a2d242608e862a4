"""--score: two annotators compared from the command line."""

import json

import numpy as np
import pytest

from commander import cli, main
from tests.made import note_bytes, write_annotations, write_header
from toolbox.reports.ec57_report import write
from toolbox.utils import UserError


@pytest.fixture
def folder(tmp_path):
    """Two records of 400 s at 250 Hz; scoring starts at sample 75,000."""
    for name, symbols in (("a", "NNVN"), ("b", "NASN")):
        write_header(tmp_path, name)
        write_annotations(tmp_path, name, "atr", [70_000, 80_000, 81_000, 82_000], symbols)
    write_annotations(tmp_path, "a", "ecg", [70_010, 80_010, 81_010, 82_039], "NNVN")
    write_annotations(tmp_path, "b", "ecg", [80_010, 81_010, 82_010, 83_000], "NSNN")
    return tmp_path


def test_it_returns_prints_and_writes_the_figures(folder, tmp_path, capsys):
    result = main(["--score", str(folder), "--out", str(tmp_path / "out" / "scores.json")])
    assert result["records"]["a"]["matrix"][0] == [1, 0, 0, 0, 0, 1, 0]
    assert result["records"]["b"]["matrix"][1] == [1, 1, 0, 0, 0, 0, 0]
    assert result["gross"]["counts"]["QRS"] == {"Se": [5, 6], "+P": [5, 7]}
    assert result["gross"]["scores"]["SVEB"]["Se"] == 0.5
    assert json.loads((tmp_path / "out" / "scores.json").read_text()) == result
    printed = capsys.readouterr().out
    assert (tmp_path / "out" / "scores.txt").read_text().strip() in printed
    assert "QRS Se:    83.33 % (5/6)" in printed


def rhythms(folder, name, annotator, *changes):
    """NAME.ANNOTATOR of rhythm changes (sample, text), flutter marks (sample, "[") and measurements (sample, "=72")."""
    symbols = [{"[": "[", "]": "]", "=": "="}.get(text[0], "+") for _, text in changes]
    notes = ["" if text in "[]" else text.removeprefix("=") for _, text in changes]
    write_annotations(folder, name, annotator, [at for at, _ in changes], symbols, texts=notes)


def test_episodes_are_scored_as_epicmp_does(folder, capsys):
    rhythms(folder, "a", "atr", (74_000, "(AFIB"), (76_000, "(N"), (80_000, "(AFL"), (90_000, "(N"), (95_000, "["))
    rhythms(folder, "a", "ecg", (75_500, "(AFIB"), (76_500, "(N"), (80_000, "(AFIB"), (82_500, "(N"))
    result = main(["--score", str(folder), "--out", str(folder / "out")])["episodes"]
    assert result["AF"]["records"] == {
        "a": {
            "scores": {"ESe": 1.0, "E+P": 0.5, "DSe": 0.5, "D+P": 500 / 3500},
            "episodes": {"TPs": 1, "FN": 0, "TPp": 1, "FP": 1},
            "seconds": {"reference": 4.0, "reference_overlap": 2.0, "test": 14.0, "test_overlap": 2.0},
        }
    }
    assert result["AF/AFL"]["gross"]["scores"] == {"ESe": 1.0, "E+P": 1.0, "DSe": 3000 / 11000, "D+P": 3000 / 3500}
    assert result["VF"]["gross"] == {
        "scores": {"ESe": 0.0, "E+P": None, "DSe": 0.0, "D+P": None},
        "episodes": {"TPs": 0, "FN": 1, "TPp": 0, "FP": 0},
        "seconds": {"reference": 20.0, "reference_overlap": 0, "test": 0, "test_overlap": 0},
    }
    assert json.loads((folder / "out.json").read_text())["episodes"] == result
    lines = [line.split() for line in (folder / "out.txt").read_text().splitlines()]
    assert ["a", "1", "0", "1", "1", "100.00", "50.00", "50.00", "14.29", "4.0", "14.0"] in lines
    assert ["gross", "0", "1", "0", "0", "0.00", "-", "0.00", "-", "20.0", "0.0"] in lines


def test_records_without_a_rhythm_have_no_table_of_episodes(folder, capsys):
    assert main(["--score", str(folder)])["episodes"] == {}
    assert "episode" not in capsys.readouterr().out


def test_heart_rates_are_compared_as_mxm_does(folder, capsys):
    beats = list(range(70_000, 90_000, 250))  # 60 a minute
    write_annotations(folder, "a", "atr", beats, "N" * len(beats))
    missed = [at for at in beats if at != 80_000]  # three intervals after it lead over 4 s, the rate is 45
    write_annotations(folder, "a", "ecg", missed, "N" * len(missed))
    result = main(["--score", str(folder), "--exclude", "b"])["measures"]["heart_rate"]
    entry = result["records"]["a"]
    assert (entry["n"], entry["reference_mean"], entry["rms"]) == (59, 60.0, (3 * 15**2 / 59) ** 0.5)
    assert result["gross"]["normalized_rms"] == pytest.approx((3 * 15**2 / 59) ** 0.5 / 60)
    assert "HR: RMS error 3.3824 /min, reference mean 60.0000 /min (59)" in capsys.readouterr().out
    # of 79 beats of the test, 76 have a rate; mxm divides by them all, and pairs the last ones twice
    assert entry["as_mxm"]["n"] == 76 and entry["as_mxm"]["reference_mean"] == 60 * 60 / 76


def test_variability_is_compared_by_five_minutes(tmp_path):
    write_header(tmp_path, "a", length=250 * 660)
    regular, uneven = 200, [190, 210]  # samples: all alike, and by turns
    for annotator, steps in (("atr", uneven), ("ecg", [regular, regular])):
        beats = np.cumsum(steps * 400)
        write_annotations(tmp_path, "a", annotator, beats[beats < 250 * 660], "N" * int((beats < 250 * 660).sum()))
    measures = main(["--score", str(tmp_path)])["measures"]
    assert measures["sdnn_ms"]["records"]["a"]["n"] == 2  # 5 minutes, and the minute after
    assert measures["sdnn_ms"]["gross"]["reference_mean"] == pytest.approx(40, rel=0.01)
    assert measures["sdnn_ms"]["gross"]["normalized_rms"] == pytest.approx(1, rel=0.01)
    assert measures["rmssd_ms"]["gross"]["rms"] == pytest.approx(80) and measures["pnn50"]["gross"]["rms"] > 0.9


def test_measurements_are_read_where_both_files_have_them(folder):
    rhythms(folder, "a", "atr", (70_000, "=60"), (80_000, "=70"), (90_000, "=80"))
    rhythms(folder, "a", "ecg", (79_000, "=77"), (91_000, "=80"))
    result = main(["--score", str(folder)])["measures"]
    assert result["measurement_0"]["records"]["a"]["rms"] == (49 / 2) ** 0.5
    assert list(result["measurement_0"]["records"]) == ["a"]


def test_results_of_before_there_were_episodes_are_known_as_own(folder):
    result = main(["--score", str(folder)])
    write(folder / "n", {key: value for key, value in result.items() if key not in ("episodes", "measures")})
    main(["--score", str(folder), "--out", str(folder / "n")])
    assert json.loads((folder / "n.json").read_text())["episodes"] == {}


def test_start_and_window_can_be_other(folder):
    result = main(["--score", str(folder / "a"), "--score-start", "0", "--match-window", "0.2"])
    assert result["gross"]["counts"]["QRS"] == {"Se": [4, 4], "+P": [4, 4]}


def test_records_that_lack_annotations_or_hold_paced_beats_are_noted(folder, capsys):
    write_annotations(folder, "a", "atr", [80_000], "/")
    (folder / "b.ecg").unlink()
    result = main(["--score", str(folder)])
    assert (result["paced"], result["not_scored"], list(result["records"])) == (["a"], ["b"], ["a"])
    notes = capsys.readouterr().err
    assert "no .ecg of b" in notes and "a hold paced beats" in notes


def test_any_two_annotators(folder):
    result = main(["--score", str(folder), "--ref-annotator", "ecg", "--test-annotator", "atr", "--exclude", "b"])
    assert result["records"]["a"]["scores"]["QRS"] == {"Se": 2 / 3, "+P": 2 / 3}


def test_a_record_that_ends_before_scoring_starts_is_refused(folder):
    with pytest.raises(UserError, match="lasts 400 s, scoring starts after 500 s; --score-start"):
        main(["--score", str(folder), "--score-start", "500"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--score", "nowhere/100"], "nowhere/100.atr is missing"),
        (["--score", "x", "--test"], "--score compares annotation files"),
        (["--score", "x", "--match-window", "-1"], "expected a number of at least 0"),
        (["--exclude", "100", "--model-name", "cnn1d_3"], "--exclude goes with --score"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(flags, message, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["commander.py", *flags])
    try:
        code = cli()
    except SystemExit as stop:  # from the parser
        code = stop.code
    lines = capsys.readouterr().err.splitlines()
    assert code == 2 and message in lines[-1] and "error" in lines[-1]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("annotator", ["atr", "ecg"])
def test_a_damaged_annotation_file_ends_it_at_once(folder, annotator, monkeypatch, capsys):
    path = folder / f"a.{annotator}"
    path.write_bytes(note_bytes("## something else") + path.read_bytes())  # wfdb alone would read it for ever
    monkeypatch.setattr("sys.argv", ["commander.py", "--score", str(folder)])
    assert cli() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"error: {path}: the notes that it begins with make no sense")


@pytest.mark.parametrize("name", ["n.txt", "n.json"])
@pytest.mark.parametrize("content", ["of somebody else", "", "{}\n", None])
def test_results_of_others_are_kept(folder, name, content):
    flags = ["--score", str(folder), "--out", str(folder / "n")]
    if content is None:  # ours, and a remark of a reader in it
        main(flags)
        main(flags)  # ours as it was written
        content = (folder / name).read_text() + "remark\n"
    (folder / name).write_text(content)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(
        UserError, match="is not as --score wrote it: it was changed since, or is another's, and is kept"
    ):
        main(flags)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
