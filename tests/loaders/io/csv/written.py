"""Files of one short signal, as devices write it, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loaders.beats.lead_choice import choose_lead_by_signal
from loaders.io.csv.recording import CsvRecording, open_csv
from loaders.io.recording import CsvFormat

FS = 250
SECONDS = 4


def beats(fs: float = FS, seconds: float = SECONDS) -> np.ndarray:
    """(n,) in mV: R peaks of 1.2 mV every 0.8 s in a little noise, to four decimals."""
    at = np.arange(round(fs * seconds)) / fs
    peaks = sum(np.exp(-(((at - peak) / 0.02) ** 2)) for peak in np.arange(0.5, seconds, 0.8))
    return np.round(1.2 * peaks + np.random.default_rng(1).normal(0, 0.004, len(at)), 4)


def cells(values: np.ndarray, decimals: int = 4, point: str = ".") -> list[str]:
    """Numbers as text; empty where there is none."""
    return ["" if np.isnan(value) else f"{value:.{decimals}f}".replace(".", point) for value in values]


def lines(*columns: Sequence[str], separator: str = ",") -> str:
    """Columns of cells, line by line."""
    return "".join(separator.join(row) + "\n" for row in zip(*columns, strict=True))


def opened(folder: Path, text: str, fs: float | None = None, gain: float | None = None) -> CsvRecording:
    """The recording of a file with this text."""
    path = folder / "r.csv"
    path.write_text(text, encoding="utf-8")
    return open_csv(path, CsvFormat(fs, (), gain))


def read(recording: CsvRecording) -> tuple[str, float, np.ndarray]:
    """The name, the rate and the samples (n,) in mV of the lead that is annotated."""
    lead, _ = choose_lead_by_signal(recording, None)
    samples = np.concatenate(list(recording.stream(lead, 4096)))
    return recording.leads[lead].name, recording.leads[lead].fs, samples


def assert_reads(recording: CsvRecording, values: np.ndarray, fs: float = FS, name: str | None = None) -> None:
    """Assert that `values` (n,) in mV at `fs` Hz are what is read."""
    lead, rate, samples = read(recording)
    assert recording.leads[[each.name for each in recording.leads].index(lead)].scale is not None
    assert abs(rate / fs - 1) < 1e-3, (rate, recording.notes)
    np.testing.assert_allclose(samples, values, atol=1e-3)
    assert name is None or lead == name
