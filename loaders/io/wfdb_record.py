"""Annotated WFDB records, whole in memory, for training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loaders.io.annotations import annotation_file, read_annotations
from loaders.io.wfdb_checks import check_gaps, check_header, check_sums
from loaders.io.wfdb_files import calibration, read_samples
from loaders.io.wfdb_header import read_header
from toolbox.utils import UserError

# The 48 records of the MIT-BIH Arrhythmia Database.
MITDB = (
    *("100", "101", "102", "103", "104", "105", "106", "107", "108", "109", "111", "112", "113", "114", "115", "116"),
    *("117", "118", "119", "121", "122", "123", "124", "200", "201", "202", "203", "205", "207", "208", "209", "210"),
    *("212", "213", "214", "215", "217", "219", "220", "221", "222", "223", "228", "230", "231", "232", "233", "234"),
)
MOST_BEYOND = 0.01  # share of a record's annotations that may lie behind its last sample
SAME_PATIENT = {"202": "201"}  # of MITDB; its directory says that both were taken from one man


@dataclass
class Record:
    """A recording with its annotations.

    Attributes:
        name: the record's name, "100".
        patient: the person recorded; the record's name where nothing else is known.
        fs: sampling rate in Hz.
        leads: the channels' names, in order.
        digital: (samples, leads) integer ADC units, as stored.
        gain: (leads,) ADC units per mV.
        baseline: (leads,) the ADC value of 0 mV.
        sample: (annotations,) int64, the annotated samples, in order of time.
        symbol: (annotations,) the WFDB annotation codes, one character each ("U1"); "" for an unknown code.
        aux: (annotations,) the annotations' texts: rhythm changes such as "(AFIB".
        comments: the header's comment lines.
        notes: on what the header does not say, see `read_header`.
        beyond: annotations behind the last sample, which are left out.
    """

    name: str
    patient: str
    fs: float
    leads: list[str]
    digital: np.ndarray
    gain: np.ndarray
    baseline: np.ndarray
    sample: np.ndarray
    symbol: np.ndarray
    aux: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    beyond: int = 0

    @property
    def signal(self) -> np.ndarray:
        """(samples, leads) float32 in mV."""
        return ((self.digital - self.baseline) / self.gain).astype(np.float32)


def read_wfdb(path: str | Path, annotator: str = "atr") -> Record:
    """Read the WFDB record `path` (without extension) and its annotations.

    Annotations behind the last sample are left out, as of the Supraventricular Arrhythmia Database's 860, where they
    are a hundredth of all at most; more of them are of another signal.

    Raises:
        UserError: a file is missing, cannot be read, or its parts do not fit together.
    """
    path = Path(path)
    for extension in ("hea", annotator):
        if not path.with_name(f"{path.name}.{extension}").is_file():
            raise UserError(f"record {path}: {path.name}.{extension} is missing")
    header = read_header(path)
    check_header(path, header)
    leads = range(header.n_sig)
    digital = np.column_stack(read_samples(path, header, leads, 0, header.sig_len))
    file = annotation_file(path, annotator)
    content = read_annotations(file)
    sample = content.annotations.sample
    inside = int(np.searchsorted(sample, header.sig_len))  # they never go back in time
    if len(sample) - inside > MOST_BEYOND * len(sample):
        span = f"annotations from sample {sample[0]} to {sample[-1]}"
        raise UserError(f"{file}: {span}, the signal has {header.sig_len}")
    if content.fs not in (None, header.fs):
        raise UserError(f"{file} counts {content.fs:g} samples a second, the signal has {header.fs:g}")
    check_gaps(path, digital, header.fmt, header.sig_name)
    check_sums(path, digital, header)
    gain, baseline = np.array([calibration(header, lead) for lead in leads], dtype=np.float64).T
    return Record(
        name=path.name,
        patient=SAME_PATIENT.get(path.name, path.name),
        fs=float(header.fs),
        leads=list(header.sig_name),
        digital=digital,
        gain=gain,
        baseline=baseline,
        sample=sample[:inside],
        symbol=np.asarray(content.annotations.symbol[:inside], dtype="U1"),
        aux=content.texts[:inside],
        comments=list(header.comments),
        notes=list(header.notes),
        beyond=len(sample) - inside,
    )


def write_wfdb(record: Record, folder: str | Path, annotator: str = "atr") -> None:
    """Write `record` to `folder` as NAME.hea, NAME.dat (format 16) and NAME.atr."""
    import wfdb

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        record.name,
        fs=record.fs,
        units=["mV"] * len(record.leads),
        sig_name=record.leads,
        d_signal=record.digital.astype(np.int64),
        fmt=["16"] * len(record.leads),
        adc_gain=record.gain.tolist(),
        baseline=record.baseline.astype(int).tolist(),
        comments=record.comments,
        write_dir=str(folder),
    )
    wfdb.wrann(
        record.name,
        annotator,
        record.sample,
        symbol=record.symbol.tolist(),
        aux_note=record.aux or None,
        fs=record.fs,
        write_dir=str(folder),
    )


def list_records(folder: str | Path, annotator: str = "atr") -> list[Path]:
    """The records of `folder` that have annotations, in order of name: RECORDS where it is there, else every header.

    Raises:
        UserError: there is no such folder, or no record with annotations in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"no folder {folder} with WFDB records; give one with --records-dir")
    index = folder / "RECORDS"
    if index.is_file():
        names = index.read_text(encoding="utf-8", errors="replace").split()
        odd = [name for name in names if Path(name).name != name or "\\" in name]
        if odd:
            raise UserError(f"{index} names {odd[0][:80]!r}, which cannot be a record of this folder")
    else:
        files = [path for path in folder.glob(f"*.{annotator}") if not path.name.startswith(".")]  # "._100.atr" of Macs
        names = [path.stem for path in files if path.with_suffix(".hea").is_file()]
    if not names:
        raise UserError(f"no annotated WFDB record in {folder} (NAME.hea, NAME.dat, NAME.{annotator})")
    return [folder / name for name in sorted(names)]
