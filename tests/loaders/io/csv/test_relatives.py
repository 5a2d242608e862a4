"""Thousands of generated relatives of the CSV files of devices: each is read to the same samples, or refused."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from loaders.io.csv.recording import open_csv
from loaders.io.recording import CsvFormat
from toolbox.utils import UserError

FS = 250
SECONDS = 3
RELATIVES = 2400  # drawn from all combinations that make sense, the same in every process
BATCHES = 12


@dataclass(frozen=True)
class Shape:
    """One way in which a device may write a file."""

    separator: str  # "" for a single column, " " for columns aligned by blanks
    point: str
    header: str
    metadata: str
    encoding: str
    time: str
    ending: str
    quoted: bool
    columns: int

    def makes_sense(self) -> bool:
        """Whether a file of this shape can be told apart from others at all."""
        cells = self.columns + self.time_columns
        if (self.separator == "") != (cells == 1):
            return False
        if self.separator == "," and self.point == "," and not self.quoted:
            return False
        if self.separator == " " and (self.quoted or self.time == "date" or self.ending == "separator"):
            return False
        if self.separator == "" and self.ending in ("separator", "cut off"):
            return False
        if self.metadata == "sep" and self.separator in ("", " "):
            return False
        return not (self.header == "none" and self.time in ("milliseconds", "date"))

    @property
    def time_columns(self) -> int:
        return {"none": 0, "date": 2}.get(self.time, 1)


CHOICES = {
    "separator": (";", "\t", ",", " ", ""),
    "point": (".", ","),
    "header": ("none", "names", "unit in brackets", "line of units", "ends in a number"),
    "metadata": ("none", "comment", "name and value", "rate", "sep"),
    "encoding": ("utf-8", "utf-8-sig", "utf-16", "cp1252"),
    "time": ("none", "seconds", "milliseconds", "counter", "clock", "date"),
    "ending": ("plain", "separator", "cut off", "footer", "blank lines", "no newline"),
    "quoted": (False, True),
    "columns": (1, 2),
}


def relatives() -> list[Shape]:
    """The shapes that are tried: drawn by a seed of their own from all that make sense."""
    every = [shape for values in itertools.product(*CHOICES.values()) if (shape := Shape(*values)).makes_sense()]
    return random.Random(7).sample(every, RELATIVES)


def signal() -> np.ndarray:
    """(n, 2) in mV: beats on a wandering line, not below -3 mV nor above 3 mV, to four decimals."""
    seconds = np.arange(FS * SECONDS) / FS
    beats = sum(np.exp(-(((seconds - at) / 0.02) ** 2)) for at in np.arange(0.5, SECONDS, 0.8))
    noise = np.random.default_rng(1).normal(0, 0.01, (len(seconds), 2))
    lead = 1.2 * beats + 0.3 * np.sin(2 * np.pi * 0.3 * seconds)
    return np.round(np.stack([lead, -0.6 * lead], axis=1) + noise, 4)


def times(shape: Shape) -> list[list[str]]:
    """The cells before the leads', line by line."""
    n = FS * SECONDS
    clock = [f"17:30:{k // FS:02d}.{k % FS * 4:03d}" for k in range(n)]
    columns = {
        "none": [],
        "seconds": [[f"{k / FS:.3f}" for k in range(n)]],
        "milliseconds": [[f"{k * 4}" for k in range(n)]],
        "counter": [[str(k) for k in range(n)]],
        "clock": [clock],
        "date": [["26.03.2024"] * n, clock],
    }[shape.time]
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(n)]


def header(shape: Shape) -> list[list[str]]:
    """Lines of cells above the numbers."""
    named = {"none": [], "seconds": ["time"], "milliseconds": ["time [ms]"], "counter": ["sample"], "clock": ["Time"]}
    before = named.get(shape.time, ["Date", "Time"])
    leads = ["MLII", "V1"][: shape.columns]
    if shape.header == "none":
        return []
    if shape.header == "unit in brackets":
        return [[*before, *(f"{lead} [mV]" for lead in leads)]]
    if shape.header == "line of units":
        units = {"ms": "(ms)"}.get("ms" if shape.time == "milliseconds" else "", "(s)")
        return [[*before, *leads], [*([units] * len(before)), *("(mV)" for _ in leads)]]
    if shape.header == "ends in a number":
        return [[*before, *(f"ECG {k + 1}" for k in range(shape.columns))]]
    return [[*before, *leads]]


def written(shape: Shape, values: np.ndarray) -> str:
    """The text of the file."""
    separator = {"": "", " ": "   "}.get(shape.separator, shape.separator)

    def line(cells: list[str], numbers: bool = False) -> str:
        if numbers and shape.point == ",":
            cells = [cell if ":" in cell or cell.count(".") > 1 else cell.replace(".", ",") for cell in cells]
        if shape.quoted:
            cells = [f'"{cell}"' for cell in cells]
        if shape.separator == " " and not numbers:
            cells = [cell.replace(" ", "") for cell in cells]
        return separator.join(cells) + (separator if shape.ending == "separator" else "")

    above = {
        "none": [],
        "comment": ["# exported by a logger", "# 2024"],
        "name and value": [separator.join(pair) for pair in (("Patient ID", "1234"), ("Device", "X1"))],
        "rate": [f"Sampling rate: {FS} Hz"],
        "sep": [f"sep={shape.separator}"],
    }[shape.metadata]
    if shape.separator in ("", " "):
        above = [one.replace("Patient ID", "Patient,").replace("DeviceX1", "Device,X1") for one in above]
    above += [line(cells) for cells in header(shape)]
    rows = [line([*before, *(f"{v:.4f}" for v in row)], True) for before, row in zip(times(shape), values, strict=True)]
    if shape.ending == "cut off" and len(rows[-1]) > 9:
        rows[-1] = rows[-1][: rows[-1].index(separator) if separator and separator in rows[-1] else 0] or "-"
    text = "\n".join([*above, *rows])
    return text + {"no newline": "", "footer": "\nEnd of recording\n", "blank lines": "\n\n\n"}.get(shape.ending, "\n")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_relatives_are_read_to_the_same_samples(batch: int, tmp_path: Path) -> None:
    values = signal()
    refused = 0
    for number, shape in enumerate(relatives()[batch::BATCHES]):
        path = tmp_path / f"r{number}.csv"
        path.write_bytes(written(shape, values[:, : shape.columns]).encode(shape.encoding))
        tells_rate = shape.time in ("seconds", "milliseconds", "clock", "date") or shape.metadata == "rate"
        try:
            recording = open_csv(path, CsvFormat(None if tells_rate else FS))
            found = [np.concatenate(list(recording.stream(k, 1000))) for k in range(len(recording.leads))]
        except UserError as error:
            assert "\n" not in str(error)
            refused += 1
            print("refused", shape, error)
            continue
        samples = len(values) - (shape.ending == "cut off")
        assert len(recording.leads) == shape.columns, (shape, recording.layout)
        for lead, samples_of_lead in enumerate(found):
            assert recording.leads[lead].fs == FS, (shape, recording.leads, recording.notes)
            assert len(samples_of_lead) == samples, (shape, len(samples_of_lead), recording.layout)
            np.testing.assert_allclose(samples_of_lead, values[:samples, lead], atol=1e-6, err_msg=str(shape))
        if shape.header not in ("none", "ends in a number"):
            assert [lead.name for lead in recording.leads] == ["MLII", "V1"][: shape.columns], (shape, recording.layout)
    assert refused <= 0.02 * RELATIVES / BATCHES
