"""annotate_file: recordings of every kind in, annotation files, tables, summaries and pages out."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path

import edfio
import numpy as np
import pytest
import wfdb
from scipy.signal import resample_poly

from inference.files import AnnotateOptions, annotate_file
from loaders.io.discovery import Item
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
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


def beats(path: Path, fs: int = 360) -> tuple[list[int], list[str]]:
    """The annotations beside a recording, as wfdb reads them."""
    annotation = wfdb.rdann(str(path.with_suffix("")), "ecg")
    assert annotation.fs == fs
    kept = [k for k, symbol in enumerate(annotation.symbol) if symbol != "+"]  # marks of rhythms
    return annotation.sample[kept].tolist(), [annotation.symbol[k] for k in kept]


def test_the_plain_record_has_beats_of_several_classes(plain: Path, record: Record) -> None:
    sample, symbol = beats(plain)
    assert set(symbol) >= {"N", "S"} and set(symbol) <= set("NSVFQ")
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
    (sample, symbol), (own_sample, own_symbol) = beats(plain), beats(header, fs)
    assert wfdb.rdann(str(tmp_path / "r"), "ecg").fs == fs and len(own_sample) == len(sample)
    away = np.abs(np.array(own_sample) / fs - np.array(sample) / 360)
    assert np.quantile(away, 0.9) < 0.01 and away.max() < 0.1  # a broad complex has several peaks
    assert np.mean(np.array(own_symbol) == np.array(symbol)) > 0.9


# what is written


def table_of(path: Path) -> list[dict[str, str]]:
    with open(path.with_suffix(".ecg.csv"), newline="") as handle:
        return list(csv.DictReader(line for line in handle if not line.startswith("# ")))


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
    assert summary["outputs"] == ["r.ecg", "r.ecg.csv", "r.ecg.episodes.csv", "r.ecg.hours.csv", "r.ecg.html"]
    assert all((plain.parent / name).is_file() for name in summary["outputs"])


def test_gaps_flat_and_saturated_stretches_are_marked_and_skipped(record: Record, plain: Path, tmp_path: Path) -> None:
    digital = record.digital.copy()
    digital[6000:8000] = -32768
    digital[15000:17000] = 7
    digital[25000:25500] = 32767
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


@pytest.mark.draws
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


def test_less_than_two_seconds_without_a_beat_are_no_result(tmp_path: Path) -> None:
    for n in (12, 600):
        header = write_format(tmp_path, "short", np.arange(2 * n).reshape(n, 2) % 50, "16")
        with pytest.raises(UserError, match="no heartbeat"):
            annotate_file(Item(header), Rule(), AnnotateOptions())


# again, and many


def test_finished_recordings_are_skipped_until_something_changes(record: Record, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    assert "done_before" not in annotate_file(Item(header), Rule(), AnnotateOptions())
    page = tmp_path / "r.ecg.html"
    written = page.stat().st_mtime_ns
    assert annotate_file(Item(header), Rule(), AnnotateOptions())["done_before"] and page.stat().st_mtime_ns == written
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
