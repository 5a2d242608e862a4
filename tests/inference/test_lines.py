"""annotate_lines: lines of numbers in, a line for each beat out."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest

import commander
from commands import predict as recordings
from inference.lines import annotate_lines, text_lines
from inference.stream import Beat, Stream
from loaders.io.recording import CsvFormat
from loaders.io.wfdb_record import Record
from tests.conftest import ROOT
from tests.made import GAIN, Rule, small_record
from toolbox.utils import UserError


@pytest.fixture(scope="module")
def record() -> Record:
    return small_record(1)


def streamed(record: Record) -> list[Beat]:
    """The beats of the same 20 s, pushed to a stream."""
    stream = Stream(Rule(), 360, GAIN)
    return stream.push(record.digital[: 360 * 20, 0]) + stream.finish()


def lines_of(record: Record, header: str = "time,MLII [uV],V1 [uV]\n") -> io.StringIO:
    signal = record.digital[: 360 * 20] / GAIN * 1000
    return io.StringIO(header + "".join(f"{k / 360:.4f},{a:.1f},{b:.1f}\n" for k, (a, b) in enumerate(signal)))


def test_lines_give_lines(record: Record) -> None:
    out = io.StringIO()
    counts = annotate_lines(lines_of(record), out, Rule(), CsvFormat(360.0), None, "keep")
    head, *rows = out.getvalue().splitlines()
    assert head == "time_s,sample,rr_s,class,p_N,p_S,p_V,p_F,p_Q"
    beats = streamed(record)
    assert counts == {"samples": 360 * 20, "beats": len(beats)} and len(rows) == len(beats)
    for row, beat in zip(rows, beats, strict=True):
        time, sample, rr, letter, *likely = row.split(",")
        assert int(sample) == beat.sample and float(time) == pytest.approx(beat.time, abs=1e-4)
        assert letter == beat.letter and np.allclose([float(cell) for cell in likely], beat.probabilities, atol=1e-4)
        assert rr == "" if beat.rr is None else float(rr) == pytest.approx(beat.rr, abs=1e-4)


def test_beats_are_told_before_the_lines_end(record: Record) -> None:
    out, written = io.StringIO(), []

    class Lines(io.StringIO):
        def __next__(self) -> str:
            written.append(out.getvalue().count("\n") - 1)
            return super().__next__()

    annotate_lines(Lines(lines_of(record).getvalue()), out, Rule(), CsvFormat(360.0), None, "keep")
    first = streamed(record)[0]
    shown = int(np.argmax(np.array(written) == 1))  # the line that was read when the first beat stood there
    assert first.sample + 2.5 * 360 < shown <= first.sample + 3 * 360 + 2


def test_cells_that_are_no_numbers_are_missing_samples(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    text = lines_of(record).getvalue().splitlines(keepends=True)
    text[1000] = "#?!\n"
    text[3000:4000] = [",\n"] * 1000
    out = io.StringIO()
    counts = annotate_lines(io.StringIO("".join(text)), out, Rule(), CsvFormat(360.0), None, "keep")
    said = capsys.readouterr().err.splitlines()
    assert counts["samples"] == 360 * 20 and len(said) == 3
    assert said[0].startswith("warning: line 1001 of standard input, '#?!', has no number in column 2")
    assert said[1].endswith("gap, no beats are annotated") and said[2].endswith("the signal is usable again")


@pytest.mark.parametrize(
    ("text", "csv_format", "lead", "said"),
    [
        ("", CsvFormat(360.0), None, "standard input is empty"),
        ("hello\n", CsvFormat(360.0), None, "holds no numbers"),
        ("a,b\n1,2\n2,1\n", CsvFormat(360.0), "V9", "no lead V9"),
        ("a,b\n1,2\n2,1\n", CsvFormat(360.0, ("c",)), None, "no column c"),
        ("1\n2\n1\n", CsvFormat(20.0), None, "20 samples per second"),
    ],
)
def test_lines_that_are_no_recording(text: str, csv_format: CsvFormat, lead: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        annotate_lines(io.StringIO(text), io.StringIO(), Rule(), csv_format, lead, "keep")


def test_the_command_line_takes_lines(
    record: Record, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recordings, "load_classifier", lambda args: Rule())
    monkeypatch.setattr("sys.stdin", lines_of(record))
    counts = commander.main(["--predict", "-", "--fs", "360"])
    assert capsys.readouterr().out.count("\n") == counts["beats"] + 1 > 20


# bytes of any kind


def beats_in(content: bytes, fs: float = 360.0) -> list[str]:
    """The lines written for a stream of bytes."""
    out = io.StringIO()
    annotate_lines(text_lines(io.BytesIO(content)), out, Rule(), CsvFormat(fs), None, "keep")
    return out.getvalue().splitlines()[1:]


def test_bad_bytes_are_missing_samples(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    content = lines_of(record).getvalue().encode()
    expected = beats_in(content)
    lines = content.splitlines(keepends=True)
    for k, bad in ((400, b"\xff\xfe\n"), (1003, b'\x00\x01\xe9,"\n'), (2004, b'"' + b"\x80" * 300), (3005, b"\xc3\n")):
        lines[k] = bad.rstrip(b"\n") + b"\n"
    samples = [[line.split(",")[1] for line in rows] for rows in (beats_in(b"".join(lines)), expected)]
    assert samples[0] == samples[1] and len(samples[0]) > 15
    assert capsys.readouterr().err.count("has no number in column") == 1


@pytest.mark.parametrize(
    ("encoding", "unit"),
    [("latin-1", "µV"), ("utf-8", "µV"), ("utf-8", "μV"), ("utf-8-sig", "µV"), ("utf-16", "µV"), ("utf-16-be", "µV")],
)
def test_a_header_in_any_encoding_gives_the_unit(
    record: Record, encoding: str, unit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = lines_of(record).getvalue()
    assert beats_in(plain.replace("uV", unit).encode(encoding)) == beats_in(plain.encode())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "noise", [b"\xff\xfe\n", b"\xfe\xff\n", b"\xef\xbb\xbf", b"\x00\x00\n", b"\x80\n", b"\xff\xfe"]
)
def test_noise_before_the_first_line(record: Record, noise: bytes) -> None:
    content = lines_of(record).getvalue().encode()
    assert len(beats_in(noise + content)) == len(beats_in(content))


@pytest.mark.parametrize("content", [b"1" * (1 << 21), b"\0" * (1 << 21), b"1\n" * 500 + b"2" * (1 << 21)])
def test_a_line_without_an_end(content: bytes) -> None:
    with pytest.raises(UserError, match="a line of 1,048,576 bytes and more; expected a sample a line"):
        beats_in(content)


@pytest.mark.parametrize("fs", [1e6, 20_001.0, 1e300, 49.0, 1e-300])
def test_rates_of_no_ecg(fs: float) -> None:
    with pytest.raises(UserError, match="samples per second"):
        beats_in(b"".join(b"%d\n" % (k * k % 17) for k in range(1000)), fs)


@pytest.mark.parametrize(
    ("name", "said"), [("stdin", "standard input is closed"), ("stdout", "standard output is closed")]
)
def test_a_stream_that_is_closed(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"sys.{name}", None)  # as Python has it then
    with pytest.raises(UserError, match=said):
        commander.main(["--predict", "-", "--fs", "360"])


PROGRAM = """
import sys, commander, commands.predict
from tests.made import Rule
commands.predict.load_classifier = lambda args: Rule()
sys.exit(commander.cli())
"""


def test_no_locale_matters(record: Record) -> None:
    content = lines_of(record, "time,MLII [µV],V1 [µV]\n").getvalue().encode("latin-1")
    content = content.replace(b"\n1.0", b"\n\xff\xfe\n1.0", 1)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    for locale in ("C", "en_US.UTF-8"):
        answer = subprocess.run(
            [sys.executable, "-X", "utf8=0", "-c", PROGRAM, "--predict", "-", "--fs", "360"], cwd=ROOT, input=content,
            capture_output=True, check=False, env={**environment, "LC_ALL": locale, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert answer.returncode == 0 and answer.stdout.count(b"\n") > 15, answer.stderr
        assert answer.stderr.isascii() and answer.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--fs"),
        (["--fs", "360", "--out", "x"], "leave out --out"),
        (["--fs", "360", "--peaks", "atr"], "leave out --peaks"),
        (["--fs", "360", "-j", "2"], "leave out --workers"),
    ],
)
def test_flags_that_lines_do_not_go_with(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        commander.main(["--predict", "-", *flags])
    assert stop.value.code == 2 and said in capsys.readouterr().err
    with pytest.raises(SystemExit):
        commander.main(["--predict", "-", "other", "--fs", "360"])


def test_nobody_reading_any_more_ends_it_quietly(record: Record) -> None:
    program = (
        "import sys; from loaders.io.recording import CsvFormat; from inference.lines import annotate_lines; "
        "from tests.made import Rule; annotate_lines(sys.stdin, sys.stdout, Rule(), CsvFormat(360.0), None, 'keep')"
    )
    reading, writing = os.pipe()
    os.close(reading)
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, input=lines_of(record).getvalue(), text=True, stdout=writing,
        stderr=subprocess.PIPE, timeout=120, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (answer.returncode, answer.stderr) == (0, "")
