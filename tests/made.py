"""Recordings of small integers, written in every format, annotation files, and a classifier without torch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from scipy.signal import resample_poly

import commander
from loaders.io.discovery import Item
from loaders.io.wfdb_record import Record
from loaders.sources.synthetic import patient_record
from tests.conftest import SMALL

GAIN = 40  # units per mV: everything fits into 8 bits
# Python that makes torch and the onnx package look as if they were not installed.
FORBID_TORCH = """
import sys

class Forbidding:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Forbidding())
"""
CLASSES = ("Normal", "Supraventricular ectopic", "Ventricular ectopic", "Fusion", "Unknown")


class Rule:
    """Names beats by the shape of their rows: no network, but as sensitive to what it is shown."""

    class_names = CLASSES
    name = "rule"
    input_spec = None
    dataset = "ecg"

    def __init__(self, version: str = "1") -> None:
        self.version = version

    def probabilities(self, rows: np.ndarray, features: np.ndarray | None = None) -> np.ndarray:
        """(n, 5): more ventricular the broader, more supraventricular the shorter."""
        broad = (rows[:, :20] > 0.5).mean(axis=1)
        short = 1 - (rows > 0).mean(axis=1)
        scores = np.stack([np.full(len(rows), 0.45), short, broad, 0.2 * broad, 0.1 * short], axis=1)
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)

    def fingerprint(self) -> str:
        """Its version."""
        return self.version


class Slow(Rule):
    """Takes its time, so that it can be stopped in the middle."""

    def probabilities(self, *rows: Any) -> np.ndarray:
        """See `Rule`."""
        time.sleep(0.7)
        return super().probabilities(*rows)


def exported(root: Path) -> Path:
    """ROOT with a run of synthetic recordings in it, and its export."""
    flags = ["--dataset", "synthetic", "--model-name", "resnet1d_lean", "--epochs", "4", "--lr", "0.003"]
    flags += ["--ema", "0", "--batch-size", "32", "--precision", "fp32"]
    commander.main([*flags, "--root-dir", str(root), *SMALL])
    commander.main(["--export", "onnx", "--root-dir", str(root)])
    return root


def small_record(minutes: float = 1.5, patient: int = 10) -> Record:
    """A synthetic recording whose samples are within -120 .. 120 and change by less than 128."""
    # a short one is cut out of a longer one, whose signal is good
    record = patient_record(patient, 1.5 if minutes < 1 else minutes, np.random.SeedSequence(3))
    digital = np.clip(np.rint(record.signal * GAIN), -120, 120).astype(np.int64)[: round(minutes * 60 * 360)]
    digital = digital[: len(digital) // 12 * 12]  # whole blocks in every format
    inside = record.sample < len(digital)
    return Record(
        "plain", "plain", 360.0, ["MLII", "V1"], digital, np.full(2, float(GAIN)), np.zeros(2),
        record.sample[inside], record.symbol[inside],
    )  # fmt: skip


def packed(digital: np.ndarray, form: str) -> bytes:
    """Samples (n, leads) as signal(5) of the WFDB Applications Guide describes `form`."""
    flat = digital.reshape(-1)
    if form == "8":
        return np.diff(digital, axis=0, prepend=np.zeros((1, digital.shape[1]), int)).astype("i1").tobytes()
    if form in ("16", "32"):
        return flat.astype(f"<i{int(form) // 8}").tobytes()
    if form == "24":
        return flat.astype("<i4").view("u1").reshape(-1, 4)[:, :3].tobytes()
    if form == "61":
        return flat.astype(">i2").tobytes()
    if form == "80":
        return (flat + 128).astype("u1").tobytes()
    if form == "160":
        return (flat + 32768).astype("<u2").tobytes()
    if form == "212":
        a, b = (flat & 0xFFF).reshape(-1, 2).T
        return np.stack([a & 255, a >> 8 | (b >> 8) << 4, b & 255], axis=1).astype("u1").tobytes()
    a, b, c = (flat & 0x3FF).reshape(-1, 3).T
    if form == "310":
        pairs = np.stack([a << 1 | (c & 31) << 11, b << 1 | (c >> 5) << 11], axis=1)
        return pairs.astype("<u2").tobytes()
    return (a | b << 10 | c << 20).astype("<u4").tobytes()  # 311


def write_format(folder: Path, name: str, digital: np.ndarray, form: str, gain: int = GAIN, fs: float = 360) -> Path:
    """A record of two leads, MLII and V1, in `form`; the path of its header."""
    folder.mkdir(parents=True, exist_ok=True)
    if form.startswith("5"):
        wfdb.wrsamp(
            name, fs, ["mV"] * 2, ["MLII", "V1"], d_signal=digital, fmt=[form] * 2, adc_gain=[gain] * 2,
            baseline=[0, 0], write_dir=str(folder),
        )  # fmt: skip
        return folder / f"{name}.hea"
    (folder / f"{name}.dat").write_bytes(packed(digital, form))
    lines = [
        f"{name} 2 {fs:g} {len(digital)}",
        *(f"{name}.dat {form} {gain} 0 0 0 0 0 {lead}" for lead in ("MLII", "V1")),
    ]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    return folder / f"{name}.hea"


FORMATS = ("8", "16", "24", "32", "61", "80", "160", "212", "310", "311", "508", "516", "524")


# annotation files


def write_header(folder: Path, name: str, fs: float = 250.0, length: int = 100_000) -> None:
    """A header of one lead, without a signal."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_text(f"{name} 1 {fs:g} {length}\n{name}.dat 16 200 16 0 0 0 0 MLII\n")


def write_annotations(
    folder: Path,
    name: str,
    annotator: str,
    sample: Sequence[int],
    symbol: Sequence[str],
    subtype: Sequence[int] | None = None,
    fs: float | None = None,
    texts: Sequence[str] | None = None,
) -> None:
    """NAME.ANNOTATOR as wfdb writes it; it states no rate unless `fs` is given."""
    folder.mkdir(parents=True, exist_ok=True)
    subtypes = None if subtype is None else np.array(subtype)
    notes = None if texts is None else list(texts)
    wfdb.wrann(name, annotator, np.array(sample), list(symbol), subtypes, aux_note=notes, fs=fs, write_dir=str(folder))


def annotation_bytes(code: int, low: int) -> bytes:
    """One annotation of annot(5): `low` samples after the one before."""
    return bytes([low & 255, code << 2 | low >> 8])


def note_bytes(text: str) -> bytes:
    """A note at the sample of the annotation before it."""
    padded = text.encode().ljust(len(text) + len(text) % 2, b"\0")
    return annotation_bytes(22, 0) + annotation_bytes(63, len(text)) + padded


def several_recordings(folder: Path) -> list[Item]:
    """Four recordings in a folder, the second of them cut off, and one of the same name elsewhere."""
    record = small_record()
    for k in range(4):
        write_format(folder / "in", f"r{k}", record.digital[: 12000 + 1200 * k], "16")
    data = folder / "in" / "r1.dat"
    data.write_bytes(data.read_bytes()[:1000])
    shutil.copytree(folder / "in", folder / "too", ignore=lambda *_: ["r1.hea", "r2.hea", "r3.hea"])
    return [Item(folder / "in" / f"r{k}.hea") for k in range(4)] + [Item(folder / "too" / "r0.hea")]


def make_workplace(folder: Path) -> Path:
    """A folder as docs/api.md and the examples expect it: a run and its export, recordings of WFDB and CSV."""
    flags = [
        "--dataset",
        "synthetic",
        "--model-name",
        "cnn1d_3",
        "--epochs",
        "3",
        "--lr",
        "0.01",
        "--precision",
        "fp32",
    ]
    root = ["--root-dir", str(folder / "ecg_data")]
    exported = commander.main([*flags, *root, *SMALL]) and commander.main(["--export", "onnx", *root])
    shutil.copy(Path(exported["run"]) / "export" / "model.onnx", folder / "model.onnx")
    digital = small_record().digital
    write_format(folder, "100", digital, "16")
    signal = resample_poly(digital[:, 0] / GAIN, 250, 360)
    lines = [f"{60 + k % 7},{value:.4f}\n" for k, value in enumerate(signal)]
    (folder / "belt.csv").write_text("hr,ecg\n" + "".join(lines))
    (folder / "belt.txt").write_text("".join(f"{value:.4f}\n" for value in signal))
    return folder
