"""The start of a recording on the clock, from files of every format and from texts."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from loaders.io.open import open_recording
from loaders.io.recording import CsvFormat
from loaders.io.start_time import parse_start, since_1970
from loaders.io.wfdb_record import Record
from tests.loaders.io import writers
from tests.loaders.io.writers import write
from tests.made import write_format

NOON = datetime(2020, 3, 2, 12)


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        (".edf", datetime(2020, 1, 1, 10)), (".bdf", datetime(2020, 1, 1, 10)), (".ish", NOON), (".dcm", NOON),
        (".scp", NOON), (".xml", NOON), (".mwf", NOON), (".json", NOON.replace(tzinfo=UTC)), (".mat", None),
        (".npy", None), (".csv", None), (".csv.gz", None),
    ],
)  # fmt: skip
def test_files_of_every_format(record: Record, tmp_path: Path, suffix: str, expected: datetime | None) -> None:
    recording = open_recording(write(tmp_path / f"r{suffix}", record.digital), CsvFormat(360.0))
    assert recording.start == expected
    assert getattr(recording.start, "tzinfo", None) == getattr(expected, "tzinfo", None)


def test_muse(record: Record, tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_bytes(writers.muse(record.digital))
    assert open_recording(tmp_path / "r.xml", CsvFormat()).start == NOON


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", None),
        ("11:05:00", time(11, 5)),
        ("0:0:0", None),  # as programs write that know no time
        ("23:59:58.5 31/12/1999", datetime(1999, 12, 31, 23, 59, 58, 500000)),
        ("00:00:00 02/03/2020", datetime(2020, 3, 2)),
        ("05-Feb-2020 11:39:16", datetime(2020, 2, 5, 11, 39, 16)),  # PhysioNet's challenges
        ("02-May-2020 12:33:28", datetime(2020, 5, 2, 12, 33, 28)),
        ("10:00:00 32/01/2020", time(10)),
        ("25:00:00", None),
        ("nonsense", None),
    ],
)
def test_wfdb_headers(record: Record, tmp_path: Path, words: str, expected: datetime | time | None) -> None:
    header = write_format(tmp_path, "r", record.digital, "16")
    first, *rest = header.read_text().splitlines()
    header.write_text("\n".join([f"{first} {words}".strip(), *rest]) + "\n")
    assert open_recording(header, CsvFormat()).start == expected


@pytest.mark.parametrize(
    ("recorded", "day", "clock", "expected"),
    [
        (b"Startdate 02-MAR-2020 X X X", b"02.03.20", b"22.15.30", datetime(2020, 3, 2, 22, 15, 30)),
        (b"", b"02.03.84", b"22.15.30", datetime(2084, 3, 2, 22, 15, 30)),
        (b"", b"02.03.85", b"22.15.30", datetime(1985, 3, 2, 22, 15, 30)),
        (b"Startdate 02-MAR-2085 X X X", b"02.03.85", b"22.15.30", datetime(2085, 3, 2, 22, 15, 30)),
        (b"Startdate X X X X", b"01.01.85", b"00.00.00", None),  # anonymous
        (b"Startdate X X X X", b"01.01.85", b"22.15.30", time(22, 15, 30)),
        (b"", b"01.01.85", b"00.00.00", None),
        (b"", b"01.01.85", b"22.15.30", time(22, 15, 30)),
        (b"", b"31.02.20", b"22.15.30", time(22, 15, 30)),
        (b"", b"02.03.yy", b"22.15.30", time(22, 15, 30)),
        (b"", b"02.03.20", b"22:15.30", None),
        (b"", b"02.03.20", b"25.15.30", None),
    ],
)
def test_edf_headers(
    record: Record, tmp_path: Path, recorded: bytes, day: bytes, clock: bytes, expected: datetime | time | None
) -> None:
    content = writers.edf(record.digital)
    content = content[:88] + recorded.ljust(80) + day + clock + content[184:]
    (tmp_path / "r.edf").write_bytes(content)
    assert open_recording(tmp_path / "r.edf", CsvFormat()).start == expected


@pytest.mark.parametrize(("place", "numbers"), [(138, (-9, -9, -9)), (138, (0, 0, 0)), (150, (-9, -9, -9))])
def test_ishne_headers_without_a_date_or_a_time(
    record: Record, tmp_path: Path, place: int, numbers: tuple[int, ...]
) -> None:
    content = bytearray(writers.ishne(record.digital))
    content[place : place + 6] = np.array(numbers, dtype="<i2").tobytes()
    (tmp_path / "r.ish").write_bytes(content)
    assert open_recording(tmp_path / "r.ish", CsvFormat()).start == (time(12) if place == 138 else None)


def table(head: str, first: list[str], step: float = 0.004) -> str:
    """A CSV file of a second at 250 Hz: a column of cells by number, and a lead."""
    wave = np.round(np.sin(np.arange(len(first))), 3).tolist()
    return head + "".join(f"{cell},{value}\n" for cell, value in zip(first, wave, strict=True))


def moments(begin: datetime, form: str = "%Y-%m-%d %H:%M:%S.%f", count: int = 250) -> list[str]:
    return [(begin + timedelta(milliseconds=4 * k)).strftime(form)[:23] for k in range(count)]


BEGIN = datetime(2021, 6, 1, 22, 30, 5, 120000)
UNIX = 1622586605.12  # of that moment in UTC


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (table("time,II\n", moments(BEGIN)), BEGIN),
        (table("time,II\n", moments(BEGIN, "%Y-%m-%dT%H:%M:%S.%f")), BEGIN),
        (table("time,II\n", [f"{cell}Z" for cell in moments(BEGIN, "%Y-%m-%dT%H:%M:%S.%f")]),
         BEGIN.replace(tzinfo=UTC)),
        (table("time,II\n", [f"{cell}+02:00" for cell in moments(BEGIN, "%Y-%m-%dT%H:%M:%S.%f")]),
         BEGIN.replace(tzinfo=timezone(timedelta(hours=2)))),
        (table("clock,II\n", [cell[11:] for cell in moments(BEGIN)]), BEGIN.time()),
        (table("clock,II\n", [cell[11:] for cell in moments(datetime(2021, 6, 1))]), None),  # from 00:00:00 on: elapsed
        (table("elapsed time,II\n", [cell[11:] for cell in moments(BEGIN)]), None),
        (table("timestamp [ms],II\n", [f"{1000 * UNIX + 4 * k:.0f}" for k in range(250)]), BEGIN.replace(tzinfo=UTC)),
        (table("timestamp [s],II\n", [f"{UNIX + 0.004 * k:.3f}" for k in range(250)]), BEGIN.replace(tzinfo=UTC)),
        (table("timestamp [ns],II\n", [f"{599616000000000000 + 4000000 * k}" for k in range(250)]), None),  # since 2000
        (table("time [s],II\n", [f"{0.004 * k:.3f}" for k in range(250)]), None),
        (table("Recorded Date,2021-06-01 22:30:05 +0200\nRate,250 hertz\ntime [s],II\n",
               [f"{0.004 * k:.3f}" for k in range(250)]),
         datetime(2021, 6, 1, 22, 30, 5, tzinfo=timezone(timedelta(hours=2)))),
        (table("Date of Birth,1950-01-01 10:00:00\ntime [s],II\n", [f"{0.004 * k:.3f}" for k in range(250)]), None),
        (table("# Start: 01.06.2021 22:30\ntime [s],II\n", [f"{0.004 * k:.3f}" for k in range(250)]),
         datetime(2021, 6, 1, 22, 30)),
    ],
)  # fmt: skip
def test_csv_files(tmp_path: Path, content: str, expected: datetime | time | None) -> None:
    (tmp_path / "r.csv").write_text(content)
    recording = open_recording(tmp_path / "r.csv", CsvFormat())
    assert recording.leads[0].fs == 250
    assert recording.start == expected
    assert getattr(recording.start, "tzinfo", None) == getattr(expected, "tzinfo", None)


def test_local_time_comes_before_what_counts_from_1970(tmp_path: Path) -> None:
    cells = [f"{1000 * UNIX + 4 * k:.0f},{local}" for k, local in enumerate(moments(BEGIN + timedelta(hours=2)))]
    (tmp_path / "r.csv").write_text(table("timestamp [ms],Phone timestamp,ecg [uV]\n", cells))
    assert open_recording(tmp_path / "r.csv", CsvFormat()).start == BEGIN + timedelta(hours=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11/05/2020 10:00", time(10)),  # the fifth of November, or the eleventh of May
        ("11/25/2020 10:00 PM", datetime(2020, 11, 25, 22)),
        ("25/11/2020 12:30 am", datetime(2020, 11, 25, 0, 30)),
        ("3 March 2020, 9:05:07", datetime(2020, 3, 3, 9, 5, 7)),
        ("2020-13-01 10:00", time(10)),
        ("12:34.567", None),  # minutes and seconds
        ("no time 2020-01-01", None),
        ("1970-01-01 10:00:00", time(10)),
    ],
)
def test_texts(text: str, expected: datetime | time | None) -> None:
    assert parse_start(text) == expected


def test_seconds_that_do_not_count_from_1970() -> None:
    assert since_1970(1e6) is None and since_1970(5e9) is None and since_1970(float("nan")) is None
    assert since_1970(946684800) == datetime(2000, 1, 1, tzinfo=UTC)
