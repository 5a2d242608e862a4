"""--predict: recordings of every kind in, annotation files, tables, summaries and pages out."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
import torch
import wfdb
from scipy.signal import resample_poly

import commander
from inference.files import AnnotateOptions, annotate_file
from inference.many import annotate_files
from inference.torch_classifier import TorchClassifier
from loaders.io.discovery import Item
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from models import get_model
from tests.conftest import ROOT, SMALL
from tests.made import FORMATS, GAIN, Rule, packed, small_record, write_format
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record()


@pytest.fixture(scope="module")
def plain(record: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording as a plain record, format 16, annotated."""
    header = write_format(tmp_path_factory.mktemp("plain"), "r", record.digital, "16")
    annotate_file(Item(header), Rule(), AnnotateOptions())
    return header


def beats(path: Path) -> tuple[list[int], list[str]]:
    """The annotations beside a recording, as wfdb reads them."""
    found = wfdb.rdann(str(path.with_suffix("")), "ecg")
    assert found.fs == 360
    return found.sample.tolist(), found.symbol


def test_the_plain_record_has_beats_of_several_classes(plain: Path, record: Record) -> None:
    sample, symbol = beats(plain)
    assert set(symbol) >= {"N", "V"} and set(symbol) <= set("NSVFQ")
    true = record.sample[record.symbol != "+"]
    assert len(sample) >= 0.95 * len(true)
    assert np.median(np.abs(np.array(sample)[:, None] - true).min(axis=1)) <= 3


# every kind of recording gives the same annotations


@pytest.mark.parametrize("form", FORMATS)
def test_every_format(plain: Path, record: Record, tmp_path: Path, form: str) -> None:
    header = write_format(tmp_path, "r", record.digital, form)
    annotate_file(Item(header), Rule(), AnnotateOptions())
    assert beats(header) == beats(plain)


def test_a_skewed_record(plain: Path, record: Record, tmp_path: Path) -> None:
    late = record.digital.copy()
    late[9:, 0] = record.digital[:-9, 0]
    late[:9, 0] = 0
    header = write_format(tmp_path, "r", late, "16")
    header.write_text(header.read_text().replace("r.dat 16 ", "r.dat 16:9 ", 1))
    annotate_file(Item(header), Rule(), AnnotateOptions())
    assert beats(header) == beats(plain)


def test_a_record_of_segments(plain: Path, record: Record, tmp_path: Path) -> None:
    cuts = [0, 9000, 20004, len(record.digital)]
    parts = [record.digital[a:b] for a, b in pairwise(cuts)]
    for k, (part, form) in enumerate(zip(parts, ("212", "80", "8"), strict=True)):
        write_format(tmp_path, f"p{k}", part if form != "80" else part[:, ::-1], form)
    header = tmp_path / "p1.hea"  # the leads the other way round
    header.write_text(header.read_text().replace("MLII", "x").replace("V1", "MLII").replace("x", "V1"))
    lengths = "".join(f"p{k} {len(part)}\n" for k, part in enumerate(parts))
    leads = "".join(f"~ 0 {GAIN} 0 0 0 0 0 {lead}\n" for lead in ("MLII", "V1"))
    (tmp_path / "layout.hea").write_text(f"layout 2 360 0\n{leads}")
    (tmp_path / "r.hea").write_text(f"r/4 2 360 {cuts[-1]}\nlayout 0\n{lengths}")
    annotate_file(Item(tmp_path / "r.hea"), Rule(), AnnotateOptions())
    assert beats(tmp_path / "r.hea") == beats(plain)


def test_leads_of_several_rates(plain: Path, record: Record, tmp_path: Path) -> None:
    frames = len(record.digital) // 4
    digital = np.column_stack([np.arange(frames) % 50, record.digital[:, 0].reshape(frames, 4)])
    (tmp_path / "r.dat").write_bytes(packed(digital, "16"))
    (tmp_path / "r.hea").write_text(f"r 2 90 {frames}\nr.dat 16 40 0 0 0 0 0 RESP\nr.dat 16x4 40 0 0 0 0 0 MLII\n")
    annotate_file(Item(tmp_path / "r.hea"), Rule(), AnnotateOptions())
    assert beats(tmp_path / "r.hea") == beats(plain)


def test_edf(plain: Path, record: Record, tmp_path: Path) -> None:
    whole = record.digital[: len(record.digital) // 360 * 360].astype(np.int16)
    signals = [
        edfio.EdfSignal.from_digital(
            whole[:, k].copy(), 360, physical_range=(-32768 / GAIN * 1000, 32767 / GAIN * 1000),
            digital_range=(-32768, 32767), label=f"ECG {lead}", physical_dimension="uV",
        )
        for k, lead in enumerate(("MLII", "V1"))
    ]  # fmt: skip
    edfio.Edf(signals).write(tmp_path / "r.edf")
    annotate_file(Item(tmp_path / "r.edf"), Rule(), AnnotateOptions())
    assert beats(tmp_path / "r.edf") == beats(plain)


@pytest.mark.parametrize("header", ["", "MLII,V1\n"])
def test_csv(plain: Path, record: Record, tmp_path: Path, header: str) -> None:
    lines = [f"{a:.4f},{b:.4f}" for a, b in (record.digital / GAIN).tolist()]
    (tmp_path / "r.csv").write_text(header + "\n".join(lines))
    annotate_file(Item(tmp_path / "r.csv"), Rule(), AnnotateOptions(csv=CsvFormat(360.0)))
    assert beats(tmp_path / "r.csv") == beats(plain)


@pytest.mark.parametrize("fs", [128, 250, 500, 1000])
def test_another_rate_finds_the_same_beats_in_its_own_samples(
    plain: Path, record: Record, tmp_path: Path, fs: int
) -> None:
    digital = np.rint(10 * resample_poly(record.digital.astype(float), fs, 360)).astype(np.int64)
    header = write_format(tmp_path, "r", digital, "16", 10 * GAIN, fs)
    annotate_file(Item(header), Rule(), AnnotateOptions())
    found = wfdb.rdann(str(tmp_path / "r"), "ecg")
    sample, symbol = beats(plain)
    assert found.fs == fs and len(found.sample) == len(sample)
    away = np.abs(found.sample / fs - np.array(sample) / 360)
    assert np.quantile(away, 0.9) < 0.01 and away.max() < 0.1  # a broad complex has several peaks
    assert np.mean(np.array(found.symbol) == np.array(symbol)) > 0.9


# what is written


def table_of(path: Path) -> list[dict[str, str]]:
    with open(path.with_suffix(".ecg.csv"), newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_files_of_a_recording_agree(plain: Path, record: Record) -> None:
    sample, symbol = beats(plain)
    table = table_of(plain)
    assert [int(row["sample"]) for row in table] == sample and [row["class"] for row in table] == symbol
    for k, row in enumerate(table):
        assert float(row["time_s"]) == pytest.approx(sample[k] / 360, abs=1e-4)
        assert (
            row["rr_s"] == "" if k == 0 else float(row["rr_s"]) == pytest.approx(np.diff(sample)[k - 1] / 360, abs=1e-4)
        )
        of = {letter: float(row[f"p_{letter}"]) for letter in "NSVFQ"}
        assert max(of, key=lambda letter: of[letter]) == row["class"] and sum(of.values()) == pytest.approx(1, abs=1e-3)
    summary = json.loads(plain.with_suffix(".ecg.json").read_text())
    assert summary["beats"] == {"all": len(sample), **{letter: symbol.count(letter) for letter in "NSVFQ"}}
    assert summary["rate_per_min"]["mean"] == pytest.approx(60 * 360 / np.diff(sample).mean(), abs=0.1)
    assert summary["lead"] == "MLII" and summary["fs"] == 360 and summary["unit"] == "mV"
    assert summary["samples"] == len(record.digital) and summary["signal_quality"]["usable"] == 1
    assert "not for diagnosis" in summary["note"]
    assert summary["outputs"] == ["r.ecg", "r.ecg.csv", "r.ecg.html"]
    assert all((plain.parent / name).is_file() for name in summary["outputs"])


def test_gaps_flat_and_saturated_stretches_are_marked_and_skipped(record: Record, plain: Path, tmp_path: Path) -> None:
    digital = record.digital.copy()
    digital[6000:8000] = -32768
    digital[15000:17000, 0] = 7
    digital[25000:25500, 0] = 32767
    header = write_format(tmp_path, "r", digital, "16")
    annotate_file(Item(header), Rule(), AnnotateOptions())
    sample, symbol = (np.array(part) for part in beats(header))
    marked = sample[symbol == "~"].reshape(-1, 2)
    assert marked.tolist() == [[6000, 8000], [15000, 17000], [25000, 25500]]
    for start, stop in marked.tolist():
        assert not ((sample[symbol != "~"] >= start) & (sample[symbol != "~"] < stop)).any()
    summary = json.loads((tmp_path / "r.ecg.json").read_text())["signal_quality"]
    assert [kind for *_, kind in summary["skipped"]] == ["gap", "flat", "saturated"]
    assert summary["gap_s"] == pytest.approx(2000 / 360, abs=1e-3)
    assert [row["rr_s"] for row in table_of(header)].count("") == 4  # the first, and the first after each
    assert len(sample[symbol != "~"]) >= len(beats(plain)[0]) - 25


def test_beats_of_another_annotator_are_taken_as_they_are(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    wfdb.wrann("r", "atr", record.sample, record.symbol, write_dir=str(tmp_path))
    annotate_file(Item(header), Rule(), AnnotateOptions(peaks="atr"))
    assert beats(header)[0] == record.sample[record.symbol != "+"].tolist()
    with pytest.raises(UserError, match=r"no annotation file r\.qrs"):
        annotate_file(Item(header), Rule(), AnnotateOptions(peaks="qrs"))


def test_a_picture_on_request(plain: Path, tmp_path: Path) -> None:
    summary = annotate_file(Item(plain), Rule(), AnnotateOptions(out=tmp_path / "new" / "folder", png=True))
    picture = tmp_path / "new" / "folder" / "r.ecg.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.name in summary["outputs"]


def test_signals_in_an_unknown_unit_are_read_and_said_to_be(record: Record, plain: Path, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16", gain=1)
    header.write_text(header.read_text().replace("16 1 ", "16 1/adu "))
    summary = annotate_file(Item(header), Rule(), AnnotateOptions())
    assert beats(header) == beats(plain)
    assert summary["unit"] == "QRS height" and "'adu'" in summary["warnings"][0]


def test_no_beats_is_no_result(tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", np.zeros((7200, 2), dtype=np.int64), "16")
    with pytest.raises(UserError, match="no heartbeat in lead MLII; 100 % of it is flat"):
        annotate_file(Item(header), Rule(), AnnotateOptions())
    for n in (12, 600):
        header = write_format(tmp_path, "short", np.arange(2 * n).reshape(n, 2) % 50, "16")
        with pytest.raises(UserError, match="no heartbeat"):
            annotate_file(Item(header), Rule(), AnnotateOptions())


# again, and many


def test_finished_recordings_are_skipped_until_something_changes(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    assert "done_before" not in annotate_file(Item(header), Rule(), AnnotateOptions())
    page = tmp_path / "r.ecg.html"
    made = page.stat().st_mtime_ns
    assert annotate_file(Item(header), Rule(), AnnotateOptions())["done_before"] and page.stat().st_mtime_ns == made
    for change in (
        lambda: (Rule("2"), AnnotateOptions()),
        lambda: (Rule("2"), AnnotateOptions(lead="V1")),
        lambda: (header.write_text(header.read_text() + "# x\n"), (Rule("2"), AnnotateOptions(lead="V1")))[1],
        lambda: ((tmp_path / "r.ecg.csv").unlink(), (Rule("2"), AnnotateOptions(lead="V1")))[1],
    ):
        classifier, settings = change()
        assert "done_before" not in annotate_file(Item(header), classifier, settings)
        assert annotate_file(Item(header), classifier, settings)["done_before"]


def test_annotations_of_others_are_never_overwritten(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    (tmp_path / "r.ecg").write_bytes(b"of somebody else")
    with pytest.raises(UserError, match="exists and is not of --predict"):
        annotate_file(Item(header), Rule(), AnnotateOptions())
    assert (tmp_path / "r.ecg").read_bytes() == b"of somebody else" and len(list(tmp_path.iterdir())) == 3
    annotate_file(Item(header), Rule(), AnnotateOptions(annotator="own"))
    assert wfdb.rdann(str(tmp_path / "r"), "own").symbol


@pytest.fixture
def several(record: Record, tmp_path: Path) -> list[Item]:
    """Four recordings, the second of them cut off, and one of the same name elsewhere."""
    for k in range(4):
        write_format(tmp_path / "in", f"r{k}", record.digital[: 12000 + 1200 * k], "16")
    data = tmp_path / "in" / "r1.dat"
    data.write_bytes(data.read_bytes()[:1000])
    shutil.copytree(tmp_path / "in", tmp_path / "too", ignore=lambda *_: ["r1.hea", "r2.hea", "r3.hea"])
    return [Item(tmp_path / "in" / f"r{k}.hea") for k in range(4)] + [Item(tmp_path / "too" / "r0.hea")]


@pytest.mark.parametrize("processes", [0, 2])
def test_one_that_fails_does_not_stop_the_others(
    several: list[Item], tmp_path: Path, processes: int, capfd: pytest.CaptureFixture[str]
) -> None:
    found = annotate_files(
        several, {"none": "no recording none"}, Rule(), AnnotateOptions(out=tmp_path / "out"), processes
    )
    assert sorted(Path(name).name for name in found["recordings"]) == ["r0.hea", "r2.hea", "r3.hea"]
    assert len(found["failed"]) == 3
    output = capfd.readouterr()
    assert len([line for line in output.err.splitlines() if line.startswith("failed: ")]) == 3
    assert "r1.dat has 1000 bytes" in output.err and "would overwrite those of" in output.err
    assert all(f"r{k}: " in output.out for k in (0, 2, 3)) and "Traceback" not in output.err
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {f"r{k}.ecg{end}" for k in (0, 2, 3) for end in ("", ".csv", ".html", ".json")}


def test_machines_share_the_recordings(several: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    monkeypatch.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        found = annotate_files(several[:4], {}, Rule(), AnnotateOptions(out=tmp_path / "out"), 0)
        shares.append({Path(name).stem for name in [*found["recordings"], *found["failed"]]})
    assert shares == [{"r0", "r3"}, {"r1"}, {"r2"}]
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(UserError, match="RANK is '3', WORLD_SIZE '3'"):
        annotate_files(several[:4], {}, Rule(), AnnotateOptions(out=tmp_path / "out"), 0)


def test_when_all_fail_it_is_an_error(several: list[Item], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"r1\.dat has 1000 bytes"):
        annotate_files(several[1:2], {}, Rule(), AnnotateOptions(), 0)
    with pytest.raises(UserError, match="all 2 failed"):
        annotate_files(several[1:2], {"x": "no x"}, Rule(), AnnotateOptions(), 0)


def test_folders_keep_their_shape_in_the_output(record: Record, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_format(tmp_path / "in" / name, "r", record.digital[:12000], "16")
    items = [Item(tmp_path / "in" / name / "r.hea", Path(name)) for name in ("a", "b")]
    found = annotate_files(items, {}, Rule(), AnnotateOptions(out=tmp_path / "out"), 0)
    assert found["failed"] == {}
    assert (tmp_path / "out" / "a" / "r.ecg").is_file() and (tmp_path / "out" / "b" / "r.ecg").is_file()


def test_an_error_of_ours_is_told_with_where_it_came_from(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Rule):
        def probabilities(self, *rows: Any) -> np.ndarray:
            raise ZeroDivisionError("a bug")

    header = write_format(tmp_path, "r", record.digital, "16")
    found = annotate_files([Item(header)], {}, Broken(), AnnotateOptions(), 0)
    assert "ZeroDivisionError: a bug" in found["failed"][str(header)] and "Traceback" in capsys.readouterr().err
    assert found["recordings"] == {}


# with a network, from the command line


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROOT with a run of two classes and, newer, one of five."""
    root = tmp_path_factory.mktemp("root")
    for dataset in ("synthetic_bin", "synthetic"):
        flags = ["--dataset", dataset, "--model-name", "cnn1d_3", "--epochs", "1", "--lr", "0.003"]
        commander.main([*flags, "--root-dir", str(root), *SMALL])
    return root


def run(root: Path, *argv: str | Path) -> dict[str, Any]:
    return commander.main(["--predict", *map(str, argv), "--root-dir", str(root)])


def test_the_command_line_annotates_with_the_best_of_a_run(root: Path, plain: Path, tmp_path: Path) -> None:
    first = run(root, plain, "--out", tmp_path / "a")
    assert first["failed"] == {} and list(first["recordings"]) == [str(plain)]
    (summary,) = first["recordings"].values()
    assert summary["model"]["name"].startswith("cnn1d_3, epoch 1 of synthetic_cnn1d_3")
    best = root / "synthetic" / "runs"
    (file,) = best.glob("*/model_best.pth.tar")
    second = commander.main(["--predict", str(plain), "--model-file", str(file), "--out", str(tmp_path / "b")])
    assert (tmp_path / "a" / "r.ecg").read_bytes() == (tmp_path / "b" / "r.ecg").read_bytes()
    assert second["recordings"][str(plain)]["fingerprint"] == summary["fingerprint"]
    again = run(root, plain.with_suffix(""), plain.with_suffix(".dat"), "--out", tmp_path / "a", "--resume", "latest")
    assert [one["done_before"] for one in again["recordings"].values()] == [True]


def test_two_classes_are_normal_and_abnormal(root: Path, plain: Path, tmp_path: Path) -> None:
    found = run(root, plain, "--dataset", "synthetic_bin", "--out", tmp_path)
    (summary,) = found["recordings"].values()
    assert set(summary["beats"]) == {"all", "N", "A"} and set(summary["burden"]) == {"A"}
    assert set(wfdb.rdann(str(tmp_path / "r"), "ecg").symbol) <= {"N", "Q"}
    assert "p_N,p_A" in (tmp_path / "r.ecg.csv").read_text()


def test_exit_codes(root: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def code(*argv: str | Path) -> int:
        monkeypatch.setattr("sys.argv", ["commander.py", "--predict", *map(str, argv), "--root-dir", str(root)])
        return commander.cli()

    broken = tmp_path / "broken.hea"
    broken.write_text("broken 1 360 1000\nbroken.dat 16 200 0 0 0 0 0 MLII\n")
    out = ["--out", tmp_path / "out"]
    assert code(plain, *out) == 0
    capsys.readouterr()
    assert code(plain, broken, *out) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert code(broken, *out) == 2
    assert capsys.readouterr().err == f"error: record {tmp_path / 'broken'}: broken.dat is missing\n"
    assert code(tmp_path / "none", *out) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert code(plain, *out, "--lead", "V9") == 2
    assert "has no lead V9" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert code(plain, "--out", tmp_path / "file" / "out") == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--predict", "x", "--test"], "--predict annotates"),
        (["--predict", "x", "--model-file", "f", "--resume", "best"], "--model-file is the model"),
        (["--predict", "x", "--annotator", "dat"], "--annotator"),
        (["--predict", "x", "--annotator", "a.b"], "--annotator"),
        (["--predict", "x", "--peaks", "ecg"], "--annotator ecg"),
        (["--predict", "x", "--polarity", "up"], "invalid choice"),
        (["--predict", "x", "--fs", "0"], "--fs"),
        (["--predict", "x", "--version", "bump"], "bump"),
        (["--model-name", "cnn1d_3", "--png"], "--png goes with --predict"),
        (["--predict"], "expected at least one argument"),
    ],
)
def test_flags_that_do_not_go_together(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        commander.main(flags)
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_checkpoints_that_cannot_annotate_are_refused(root: Path, plain: Path, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth.tar"
    torch.save({"format": 2, "model": {"fc.weight": torch.zeros(1)}}, file)
    with pytest.raises(UserError, match="no whole checkpoint"):
        commander.main(["--predict", str(plain), "--model-file", str(file)])
    with pytest.raises(UserError, match="no checkpoint"):
        commander.main(["--predict", str(plain), "--model-file", str(tmp_path / "none")])
    with pytest.raises(UserError, match="no run"):
        commander.main(["--predict", str(plain), "--root-dir", str(tmp_path)])


# the network itself


def test_a_network_s_probabilities_are_those_of_its_logits() -> None:
    torch.manual_seed(0)
    args = type("Args", (), {"model_name": "cnn1d_3", "num_classes": 5})()
    classifier = TorchClassifier(get_model(args), ["a", "b", "c", "d", "e"], "name", torch.device("cpu"))
    rows = np.random.default_rng(0).random((2100, 187), dtype=np.float32)
    found = classifier.probabilities(rows)
    with torch.inference_mode():
        expected = classifier.model(torch.from_numpy(rows)[:, None]).softmax(dim=1).numpy()
    assert found.shape == (2100, 5) and np.allclose(found, expected, atol=1e-6)
    assert classifier.probabilities(rows[:0]).shape == (0, 5)
    mark = classifier.fingerprint()
    assert mark == classifier.fingerprint()
    with torch.no_grad():
        next(classifier.model.parameters()).view(-1)[0] += 1
    assert classifier.fingerprint() != mark


def test_torchrun_waits_for_all_and_tells_one_exit_code(several: list[Item], root: Path, tmp_path: Path) -> None:
    """One process has nothing but a recording that fails; the other is not killed for it."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        str(ROOT / "commander.py"), "--root-dir", str(root), "--out", str(tmp_path / "out"),
        "--predict", *(str(item.path) for item in several[:3]),
    ]  # fmt: skip
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 1, answer.stderr
    assert {path.stem for path in (tmp_path / "out").glob("*.ecg")} == {"r0", "r2"}, answer.stderr
    assert answer.stderr.count("r1.dat has 1000 bytes") == 1
    assert "exitcode  : 1" in answer.stderr
