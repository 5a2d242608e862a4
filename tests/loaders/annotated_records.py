"""Small annotated records of several databases: other rates, names of leads, headers without a gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from loaders.dsp.resample import positions, resample
from loaders.io.wfdb_record import Record, write_wfdb
from loaders.sources.synthetic import synthesize

MINUTES = 2.0


@cache
def people() -> list[Record]:
    """Eight synthetic people at 360 Hz; the fourth has paced beats."""
    return list(synthesize(8, MINUTES, 0))


def person(number: int, fs: float = 360.0, leads: Sequence[str] = ("MLII", "V1")) -> Record:
    """One of them, recorded at `fs` Hz by leads of these names."""
    record = people()[number]
    digital = np.rint(resample(record.digital.astype(np.float64), 360.0, fs)).astype(np.int64)
    sample = positions(record.sample, 360.0, fs, len(digital))
    return replace(record, fs=fs, leads=list(leads), digital=digital, sample=sample)


def write(record: Record, folder: Path, name: str, no_gain: bool = False) -> Path:
    """Write a record under another name; without a gain in its header, if asked."""
    write_wfdb(replace(record, name=name), folder)
    header = folder / f"{name}.hea"
    if no_gain:
        header.write_text(header.read_text().replace("200.0(1024)/mV", "0(1024)"))
    return folder / name


def write_databases(root: Path) -> None:
    """MIT-BIH's 118, 201, 202 and the paced 104; of the noise stress database 118e24; three of the supraventricular one
    at 128 Hz; and "mine", at 250 Hz, with a channel of pressure."""
    for name, number in {"118": 0, "201": 1, "202": 2, "104": 3}.items():
        write(person(number), root / "mitdb", name)
    write(person(0), root / "nstdb", "118e24")
    for name, number in {"800": 4, "801": 5, "802": 7}.items():
        write(person(number, 128.0, ("ECG1", "ECG2")), root / "svdb", name, no_gain=name == "801")
    for name, number in {"p1": 1, "p2": 6}.items():
        record = person(number, 250.0, ("V5", "II"))
        pressure = np.arange(len(record.digital))[:, None] % 100
        digital = np.concatenate([pressure, record.digital[:, ::-1]], axis=1)
        gain, baseline = np.full(3, record.gain[0]), np.full(3, record.baseline[0])
        whole = replace(record, leads=["ABP", *record.leads], digital=digital, gain=gain, baseline=baseline)
        write(whole, root / "mine", name)
