"""The files of devices, as docs/annotate.md describes them, give the beats of the signal that they hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.signal import resample_poly

import commander
from inference import annotate
from tests.made import GAIN, small_record

SECONDS = 30
HEALTH = """Name,Jane Doe
Date of Birth,"1 Jan 1980"
Recorded Date,2026-01-01 10:00:00 +0100
Classification,Sinus Rhythm
Symptoms,
Software Version,2.0
Device,"Watch6,2"
Sample Rate,512 hertz


Lead,Lead I
Unit,µV

"""


def polar(x: np.ndarray) -> str:
    lines = (
        f"2026-01-01T10:00:{k / 130:06.3f};{5 * 10**17 + 7692307 * k};{k / 0.13:.3f};{v:.0f}\n"
        for k, v in enumerate(1000 * x)
    )
    return "Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]\n" + "".join(lines)


def movesense(x: np.ndarray) -> str:
    return "timestamp,sample\n" + "".join(f"{1000 * k // 256},{v:.0f}\n" for k, v in enumerate(1000 * x))


def shimmer(x: np.ndarray) -> str:
    names = "\t".join(f"Shimmer_1_{name}_CAL" for name in ("Timestamp_Unix", "ECG_LA-RA_24BIT", "ECG_LL-RA_24BIT"))
    lines = (f"{1.5e12 + k / 0.512:.3f}\t{v / 2:.6f}\t{v:.6f}\n" for k, v in enumerate(x))
    return f'"sep=\t"\n{names}\nms\tmV\tmV\n' + "".join(lines)


def apple_watch(x: np.ndarray) -> str:
    return HEALTH + "".join(f"{v:.3f}\n" for v in 1000 * x)


def excel(x: np.ndarray) -> str:
    lines = (f"{k / 360:.3f};{v:.3f};{v / 2:.3f}\n".replace(".", ",") for k, v in enumerate(x))
    return "time;MLII (mV);V1 (mV)\n" + "".join(lines)


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """(n,) mV at 360 Hz."""
    return small_record().digital[: SECONDS * 360, 0] / GAIN


@pytest.mark.parametrize(
    ("write", "fs", "flags", "lead"),
    [
        (polar, 130, [], "ecg"),
        (movesense, 256, ["--columns", "sample", "--gain", "1000"], "sample"),
        (shimmer, 512, ["--lead", "Shimmer_1_ECG_LL-RA_24BIT_CAL"], "Shimmer_1_ECG_LL-RA_24BIT_CAL"),
        (apple_watch, 512, [], "Lead I"),
        (excel, 360, [], "MLII"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_file_of_a_device(
    workplace: Path, tmp_path: Path, signal: np.ndarray, write: Callable[[np.ndarray], str], fs: int, flags: list[str],
    lead: str,
) -> None:  # fmt: skip
    own = resample_poly(signal, fs, 360)
    path = tmp_path / "ecg.csv"
    path.write_text(write(own), encoding="utf-8")
    model = ["--model-file", str(workplace / "model.onnx")]
    summary = commander.main(["--predict", str(path), *flags, *model])["recordings"][str(path)]
    table, expected = (
        pd.read_csv(f"{path.with_suffix('')}.ecg.csv", comment="#"),
        annotate(own, fs, workplace / "model.onnx"),
    )
    assert summary["lead"] == lead and summary["unit"] == "mV" and abs(summary["seconds"] - SECONDS) < 0.1
    assert len(table) == len(expected) > 20
    assert np.abs(table["time_s"] - expected["time_s"]).max() < 0.02
    assert (table["class"] == expected["class"]).mean() > 0.9


def test_kardia_s_records_of_the_2017_challenge(workplace: Path, tmp_path: Path, signal: np.ndarray) -> None:
    own = resample_poly(signal, 300, 360)
    counts = np.round(1000 * own).astype("<i2")
    (tmp_path / "A00001.mat").write_bytes(bytes(24) + counts.tobytes())
    (tmp_path / "A00001.hea").write_text(
        f"A00001 1 300 {len(counts)} 05:05:15 1/05/2000\nA00001.mat 16+24 1000/mV 16 0 {counts[0]} 0 0 ECG\n"
    )
    with pytest.warns(UserWarning, match="no lead MLII"):
        table = annotate(tmp_path / "A00001", classifier=workplace / "model.onnx")
    expected = annotate(own, 300, workplace / "model.onnx")
    assert len(table) == len(expected) > 20 and np.abs(table["sample"] - expected["sample"]).max() <= 3
