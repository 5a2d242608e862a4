"""Which leads were read, and that one of them has no signal, in all that --predict writes and says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from inference import annotate
from inference.files import AnnotateOptions, annotate_file
from inference.many import annotate_files
from loaders.beats.input_spec import InputSpec
from loaders.dsp.quality import SignalShare
from loaders.io.annotations import TABLE_OF_BEATS, is_table_of_beats
from loaders.io.discovery import Item, find_recordings
from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from tests.made import GAIN, Rule, small_record, write_format
from toolbox.utils import UserError


class TwoLeads(Rule):
    """Names beats by windows of two leads."""

    input_spec = InputSpec("window", 0.3, 0.5, 120.0, 2)  # type: ignore[assignment]

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        assert np.isfinite(rows).all() and rows.shape[1] == 2
        scores = np.exp(np.tanh(rows[:, :, ::40].reshape(len(rows), -1)[:, :5]))
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def digital() -> np.ndarray:
    """(samples, 2) of 90 s."""
    return small_record().digital


def missing(lead: np.ndarray) -> None:
    lead[:] = -32768  # format 16 has it for no sample


def flat(lead: np.ndarray) -> None:
    lead[:] = 17


def off_from_a_third_on(lead: np.ndarray) -> None:
    lead[len(lead) // 3 :] = -32768


def at_the_limit(lead: np.ndarray) -> None:
    lead[:] = 32767


def noise_of_the_converter(lead: np.ndarray) -> None:
    lead[:] = 3


SILENT = [
    (missing, 0.0, "100 %"), (flat, 0.0, "100 %"), (at_the_limit, 0.0, "100 %"), (noise_of_the_converter, 0.0, "100 %"),
    (off_from_a_third_on, 1 / 3, "67 %"),
]  # fmt: skip


@pytest.mark.parametrize("gain", [GAIN, "1/adu"])
@pytest.mark.parametrize(("silence", "share", "said"), SILENT)
def test_a_second_lead_without_signal_is_said_everywhere(
    digital: np.ndarray,
    tmp_path: Path,
    silence,
    share: float,
    said: str,
    gain: int | str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoilt = digital.copy()
    silence(spoilt[:, 1])
    header = write_format(tmp_path, "r", spoilt, "16")
    first, second, third = header.read_text().splitlines()
    header.write_text("\n".join([first, second, third.replace(f" {GAIN} ", f" {gain} ")]) + "\n")
    annotate_files([Item(header)], {}, TwoLeads(), AnnotateOptions(), 0)
    warning = f"lead V1, which the network reads too, has no signal in {said} of it"
    output = capsys.readouterr()
    assert output.out.startswith("r: leads MLII and V1, ") and f"warning: r: {warning}\n" in output.err
    summary = json.loads((tmp_path / "r.ecg.json").read_text())
    assert summary["leads"] == [
        {"name": "MLII", "signal": 1.0, "good": 1.0, "read": 1.0},
        {"name": "V1", "signal": pytest.approx(share, abs=0.03), "good": pytest.approx(share, abs=0.03), "read": 0.0},
    ]
    assert summary["leads_read"] == 2 and warning in summary["warnings"]
    page = (tmp_path / "r.ecg.html").read_text()
    assert page.index("MLII, V1 · ") < page.index(warning) < page.index("<section>")
    lines = (tmp_path / "r.ecg.csv").read_text().splitlines()
    assert lines[0] == f"# leads read, with signal: MLII 100.0 %, V1 {100 * summary['leads'][1]['signal']:.1f} %"
    assert f"# warning: {warning}" in lines
    assert next(line for line in lines if not line.startswith("# ")).startswith(TABLE_OF_BEATS)
    with pytest.warns(UserWarning, match="has no signal in"):
        assert annotate(header, classifier=TwoLeads()).attrs["leads"]["V1"] == pytest.approx(share, abs=0.03)


def test_two_leads_with_signal_are_named_without_a_warning(
    digital: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = write_format(tmp_path, "r", digital, "16")
    annotate_files([Item(header)], {}, TwoLeads(), AnnotateOptions(), 0)
    output = capsys.readouterr()
    assert output.out.startswith("r: leads MLII and V1, ") and output.err == ""
    lines = (tmp_path / "r.ecg.csv").read_text().splitlines()
    assert lines[0] == "# leads read, with signal: MLII 100.0 %, V1 100.0 %" and lines[1].startswith(TABLE_OF_BEATS)
    table = pd.read_csv(tmp_path / "r.ecg.csv", comment="#")
    assert list(table.columns[:4]) == TABLE_OF_BEATS.split(",") and len(table) > 50


def test_the_plain_table_has_no_remarks(
    digital: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lead, plain in (("MLII", True), ("II", True), ("Lead II", True), ("V1", False)):
        folder = tmp_path / lead.replace(" ", "")
        header = write_format(folder, "r", digital, "16")
        header.write_text(header.read_text().replace(" V1\n", " V2\n").replace(" MLII", f" {lead}"))
        annotate_files([Item(header)], {}, Rule(), AnnotateOptions(lead=lead), 0)
        assert capsys.readouterr().out.startswith(f"r: lead {lead}, ")
        text = (folder / "r.ecg.csv").read_text()
        assert text.startswith(TABLE_OF_BEATS if plain else "# leads read, with signal: V1 100.0 %\n")


def test_what_has_no_remarks_is_byte_by_byte_what_others_have_below_them(digital: np.ndarray, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", digital, "16")
    annotate_file(Item(header), Rule(), AnnotateOptions())
    plain = (tmp_path / "r.ecg.csv").read_bytes()
    header.write_text(header.read_text().replace(" MLII", " V5"))
    annotate_file(Item(header), Rule(), AnnotateOptions())
    remarks = (tmp_path / "r.ecg.csv").read_bytes()
    assert (
        remarks.startswith(b"# leads read") and remarks.endswith(b"\n" + plain) and b"\n# warning: no lead" in remarks
    )


def test_tables_with_remarks_are_no_recordings(digital: np.ndarray, tmp_path: Path) -> None:
    header = write_format(tmp_path, "r", digital, "16")
    annotate_file(Item(header), Rule(), AnnotateOptions(lead="V1"))
    assert (tmp_path / "r.ecg.csv").read_text().startswith("# ")
    items, failed = find_recordings([str(tmp_path)], csv=True)
    assert [item.path for item in items] == [header] and not failed
    with pytest.raises(UserError, match="is a table of beats that --predict wrote, no recording"):
        open_recording(tmp_path / "r.ecg.csv", CsvFormat(360.0))
    assert is_table_of_beats(["# a", "# b", f"{TABLE_OF_BEATS},p_N"]) and not is_table_of_beats(["# a", "time,MLII"])
    assert not is_table_of_beats([]) and not is_table_of_beats(["# a"])


@pytest.mark.parametrize("in_millivolts", [True, False])
def test_the_share_of_a_lead_that_holds_a_signal(in_millivolts: bool, digital: np.ndarray) -> None:
    signal = digital[:, 0] / GAIN * (1.0 if in_millivolts else 1e-3)
    spoilt = signal.copy()
    spoilt[3600:10800], spoilt[18000:21600] = np.nan, signal[18000]
    for lead, expected in ((signal, 1.0), (spoilt, 1 - 10800 / len(signal)), (signal * np.nan, 0.0), (signal * 0, 0.0)):
        share = SignalShare(360.0, -np.inf, np.inf, in_millivolts)
        parts = list(share.watch(np.array_split(lead, 3)))
        assert np.array_equal(np.concatenate(parts), lead, equal_nan=True)
        assert share.share == pytest.approx(expected, abs=0.02)
    assert SignalShare(360.0, -np.inf, np.inf, True).share == 0.0


# Kaggle's rows


def rows(count: int, columns: int, label: bool, form: str) -> list[str]:
    values = np.random.default_rng(0).random((count, columns))
    lines = []
    for k, row in enumerate(values):
        cells = [form % value for value in row]
        lines.append(",".join([*cells, form % (k % 5)] if label else cells))
    return lines


@pytest.mark.parametrize("form", ["%.18e", "%.6f", "%.3g"])
@pytest.mark.parametrize("label", [True, False])
@pytest.mark.parametrize("numbered", ["", "header", "index"])
@pytest.mark.parametrize("count", [3, 300])
def test_rows_of_kaggle_are_no_recording(tmp_path: Path, form: str, label: bool, numbered: str, count: int) -> None:
    lines = rows(count, 187, label, form)
    if numbered == "header":
        lines = [",".join(map(str, range(187 + label))), *lines]
    if numbered == "index":
        lines = [f"{k},{line}" for k, line in enumerate(lines)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"is a table of beats as Kaggle's \(187 samples from 0 to 1 and a class"):
        open_recording(tmp_path / "rows.csv", CsvFormat(125.0))
