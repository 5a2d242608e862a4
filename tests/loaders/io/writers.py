"""Files of recorders, written from the specification of each format; not by the libraries that read them.

Each writer takes digital (samples, leads) int16, units of `STEP` nV; the leads are II and V1.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

STEP = 25_000  # nV of a unit: 40 units per mV
LEADS = ("II", "V1")


def ishne(digital: np.ndarray, fs: int = 360, codes: Sequence[int] = (6, 11), text: bytes = b"made") -> bytes:
    """ISHNE (Badilini 1998): 522 bytes of header, a text, samples of all leads in turn."""
    n, width = digital.shape
    codes, gains = [*codes, *[-9] * (12 - width)], [STEP] * width + [-9] * (12 - width)
    block = struct.pack("<4ih", len(text), n, 522, 522 + len(text), 1)
    block += b"Anna".ljust(40, b"\0") + b"Secret".ljust(40, b"\0") + b"4711".ljust(20, b"\0")
    block += struct.pack("<2h", 2, 0) + struct.pack("<12h", 1, 1, 1950, 2, 3, 2020, 3, 3, 2020, 12, 0, 0)
    block += struct.pack("<h", width) + struct.pack("<12h", *codes) + struct.pack("<12h", *[0] * 12)
    block += struct.pack("<12h", *gains) + struct.pack("<h", 0) + b"digital".ljust(40, b"\0") + struct.pack("<h", fs)
    block = block.ljust(512, b"\0") + text
    return b"ISHNE1.0" + struct.pack("<H", binascii.crc_hqx(block, 0xFFFF)) + block + digital.astype("<i2").tobytes()


def edf(
    digital: np.ndarray, fs: int = 360, unit: bytes = b"uV", magic: bytes = b"0       ", records: int | None = None,
    ranges: tuple[str, ...] = ("-819200", "819175", "-32768", "32767"), duration: str = "1",
) -> bytes:  # fmt: skip
    """EDF (Kemp 1992) of data records of one second; BDF with its magic: samples of 24 bits."""
    n, width = digital.shape
    held = n // fs
    head = magic + b"X X X X".ljust(80) + b"Startdate 01-JAN-2020 X X X".ljust(80) + b"01.01.20" + b"10.00.00"
    head += b"%-8d" % (256 * (width + 1)) + b" " * 44 + b"%-8d" % (held if records is None else records)
    head += duration.encode().ljust(8) + b"%-4d" % width
    columns = [[name.encode().ljust(16) for name in LEADS], [b" " * 80] * width, [unit.ljust(8)] * width]
    columns += [[text.encode().ljust(8)] * width for text in ranges]
    columns += [[b" " * 80] * width, [b"%-8d" % fs] * width, [b" " * 32] * width]
    head += b"".join(b"".join(column) for column in columns)
    samples = np.ascontiguousarray(digital[: held * fs].reshape(held, fs, width).transpose(0, 2, 1), dtype="<i4")
    wide = samples.view("u1").reshape(-1, 4)[:, :3].tobytes()
    return head + (wide if magic.startswith(b"\xff") else samples.astype("<i2").tobytes())


def bdf(digital: np.ndarray, fs: int = 360) -> bytes:
    """BDF: EDF of 24 bits."""
    ranges = ("-209715", "209715", "-8388608", "8388607")  # 0.025 uV a unit: written 1000 times as large
    return edf(digital * 1000, fs, magic=b"\xffBIOSEMI", ranges=ranges)


def _element(tag: int, kind: bytes, value: bytes) -> bytes:
    """A data element of DICOM, explicit VR, little endian (PS3.5, 7.1.2)."""
    value += (b"\0" if kind in (b"OB", b"OW", b"UI", b"SQ") else b" ") * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + kind
    long = struct.pack("<HI", 0, len(value)) if kind in (b"OB", b"OW", b"SQ") else struct.pack("<H", len(value))
    return head + long + value


def _sequence(tag: int, items: Sequence[bytes]) -> bytes:
    return _element(tag, b"SQ", b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items))


def _code(tag: int, value: bytes, scheme: bytes, meaning: bytes) -> bytes:
    texts = ((0x00080100, b"SH", value), (0x00080102, b"SH", scheme), (0x00080104, b"LO", meaning))
    return _sequence(tag, [b"".join(_element(*text) for text in texts)])


def dicom(digital: np.ndarray, fs: float = 360, unit: bytes = b"uV", padding: int | None = None) -> bytes:
    """A DICOM 12-lead ECG object (PS3.3, A.34.3 and C.10.9) of one multiplex group."""
    n, width = digital.shape
    channels = []
    for k in range(width):
        channel = _code(0x003A0208, (b"2:2", b"2:3")[k], b"MDC", f"Lead {LEADS[k]}".encode())
        channel += _element(0x003A0210, b"DS", b"%d" % (STEP // 1000))
        channel += _code(0x003A0211, unit, b"UCUM", {b"uV": b"microvolt"}.get(unit, unit))
        channel += _element(0x003A0212, b"DS", b"1") + _element(0x003A0213, b"DS", b"0")
        channels.append(channel + _element(0x003A021A, b"US", struct.pack("<H", 16)))
    group = _element(0x003A0004, b"CS", b"ORIGINAL") + _element(0x003A0005, b"US", struct.pack("<H", width))
    group += _element(0x003A0010, b"UL", struct.pack("<I", n)) + _element(0x003A001A, b"DS", f"{fs:g}".encode())
    group += _element(0x003A0020, b"SH", b"RHYTHM") + _sequence(0x003A0200, channels)
    group += _element(0x54001004, b"US", struct.pack("<H", 16)) + _element(0x54001006, b"CS", b"SS")
    if padding is not None:
        group += _element(0x5400100A, b"OW", struct.pack("<h", padding))
    group += _element(0x54001010, b"OW", digital.astype("<i2").tobytes())
    uid = b"1.2.840.10008.5.1.4.1.1.9.1.1"
    about = (
        _element(0x00020001, b"OB", b"\0\1") + _element(0x00020002, b"UI", uid) + _element(0x00020003, b"UI", b"1.2.3")
    )
    about += _element(0x00020010, b"UI", b"1.2.840.10008.1.2.1") + _element(0x00020012, b"UI", b"1.2.3.4")
    data = (
        _element(0x00080016, b"UI", uid) + _element(0x00080018, b"UI", b"1.2.3") + _element(0x00080060, b"CS", b"ECG")
    )
    data += _element(0x0008002A, b"DT", b"20200302120000.000")  # of the acquisition
    data += _element(0x00100010, b"PN", b"Secret^Anna") + _sequence(0x54000100, [group])
    return bytes(128) + b"DICM" + _element(0x00020000, b"UL", struct.pack("<I", len(about))) + about + data


def scp(digital: np.ndarray, fs: float = 360, starts: Sequence[int] = (1, 1)) -> bytes:
    """SCP-ECG (EN 1064): sections 0, 1, 3 and 6, samples as they are (no section 2: no Huffman tables)."""
    n, width = digital.shape

    def section(number: int, body: bytes) -> bytes:
        body += b"\0" * (len(body) % 2)
        rest = struct.pack("<HIBB6s", number, 16 + len(body), 13, 13, b"") + body
        return struct.pack("<H", binascii.crc_hqx(rest, 0xFFFF)) + rest

    def tag(number: int, value: bytes) -> bytes:
        return struct.pack("<BH", number, len(value)) + value

    device = (
        struct.pack("<HHH", 1, 1, 1)
        + b"\0"
        + b"\0"
        + b"made\0".ljust(6, b"\0")
        + bytes([13, 0, 0, 0])
        + bytes(17)
        + bytes(8)
    )
    about = tag(0, b"Secret\0") + tag(2, b"4711\0") + tag(14, device) + tag(25, struct.pack("<HBB", 2020, 3, 2))
    bodies = {1: about + tag(26, bytes([12, 0, 0])) + tag(255, b"")}
    bodies[3] = struct.pack("<BB", width, 0x04 | width << 3)
    for code, start in zip((2, 3), starts, strict=True):
        bodies[3] += struct.pack("<IIB", start, start + n - 1, code)
    bodies[6] = struct.pack("<HHBB", STEP, round(1e6 / fs), 0, 0) + struct.pack("<H", 2 * n) * width
    bodies[6] += digital.T.astype("<i2").tobytes()
    sections = {number: section(number, body) for number, body in bodies.items()}
    length = 16 + 10 * 12
    pointers, place, rest = struct.pack("<HII", 0, length, 7), 7 + length, b""
    for number in range(1, 12):
        content = sections.get(number, b"")
        pointers += struct.pack("<HII", number, len(content), place if content else 0)
        place, rest = place + len(content), rest + content
    head = struct.pack("<HIBB6s", 0, length, 13, 13, b"SCPECG") + pointers
    record = struct.pack("<H", binascii.crc_hqx(head, 0xFFFF)) + head + rest
    record = struct.pack("<I", 6 + len(record)) + record
    return struct.pack("<H", binascii.crc_hqx(record, 0xFFFF)) + record


def aecg(digital: np.ndarray, fs: float = 360, unit: str = "uV", before: str = "") -> bytes:
    """HL7 annotated ECG (ANSI/HL7 V3 ECG R1): a series with a sequence of times and one of each lead."""
    sequences = [
        f"""<component><sequence><code code="TIME_ABSOLUTE" codeSystem="2.16.840.1.113883.5.4"/>
        <value xsi:type="GLIST_TS"><head value="20200302120000.000"/><increment value="{1 / fs:.9f}" unit="s"/></value>
        </sequence></component>"""
    ]
    for k, lead in enumerate(LEADS):
        digits = " ".join(map(str, digital[:, k].tolist()))
        sequences.append(
            f"""<component><sequence><code code="MDC_ECG_LEAD_{lead}" codeSystem="2.16.840.1.113883.6.24"/>
            <value xsi:type="SLIST_PQ"><origin value="0" unit="{unit}"/><scale value="{STEP // 1000}" unit="{unit}"/>
            <digits>{digits}</digits></value></sequence></component>"""
        )
    return f"""<?xml version="1.0" encoding="UTF-8"?>{before}
    <AnnotatedECG xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" type="Observation">
    <id root="1.2.3"/><code code="93000" codeSystem="2.16.840.1.113883.6.12"/>
    <effectiveTime><low value="20200302120000.000"/><high value="20200302120030.000"/></effectiveTime>
    <component><series><code code="RHYTHM" codeSystem="2.16.840.1.113883.5.4"/>
    <component><sequenceSet>{"".join(sequences)}</sequenceSet></component></series></component></AnnotatedECG>""".encode()


def muse(digital: np.ndarray, fs: int = 360, unit: str = "MICROVOLTS") -> bytes:
    """GE Muse XML (restecg.dtd): Base64 of 16-bit samples, a WaveformType Rhythm."""
    leads = []
    for k, lead in enumerate(LEADS):
        content = digital[:, k].astype("<i2").tobytes()
        leads.append(
            f"""<LeadData><LeadByteCountTotal>{len(content)}</LeadByteCountTotal><LeadTimeOffset>0</LeadTimeOffset>
            <LeadSampleCountTotal>{len(digital)}</LeadSampleCountTotal>
            <LeadAmplitudeUnitsPerBit>{STEP / 1000:g}</LeadAmplitudeUnitsPerBit>
            <LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits><LeadID>{lead}</LeadID><LeadSampleSize>2</LeadSampleSize>
            <LeadDataCRC32>{zlib.crc32(content)}</LeadDataCRC32>
            <WaveFormData>{base64.encodebytes(content).decode()}</WaveFormData></LeadData>"""
        )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
    <!DOCTYPE RestingECG SYSTEM "restecg.dtd">
    <RestingECG><MuseInfo><MuseVersion>8.0</MuseVersion></MuseInfo>
    <PatientDemographics><PatientLastName>Secret</PatientLastName></PatientDemographics>
    <TestDemographics><AcquisitionTime>12:00:00</AcquisitionTime><AcquisitionDate>03-02-2020</AcquisitionDate>
    </TestDemographics>
    <Waveform><WaveformType>Rhythm</WaveformType><NumberofLeads>2</NumberofLeads><SampleType>CONTINUOUS_SAMPLES</SampleType>
    <SampleBase>{fs}</SampleBase><SampleExponent>0</SampleExponent>{"".join(leads)}</Waveform></RestingECG>""".encode()


def mfer(digital: np.ndarray, fs: int = 360, missing: int | None = None) -> bytes:
    """MFER (ISO 22077-1), big endian: a frame of one block of each channel."""
    n, width = digital.shape

    def define(tag: int, value: bytes) -> bytes:
        length = bytes([len(value)]) if len(value) < 128 else b"\x84" + struct.pack(">I", len(value))
        return bytes([tag]) + length + value

    content = define(0x40, b"MFR ECG made".ljust(32)) + define(0x01, b"\0") + define(0x04, struct.pack(">I", n))
    content += define(0x05, bytes([width])) + define(0x06, b"\1") + define(0x0A, b"\0")
    content += define(0x0B, struct.pack(">BbH", 0, 0, fs))  # Hz: unit 0, exponent, mantissa
    content += define(0x0C, struct.pack(">BbH", 0, -9, STEP))  # V: unit 0
    content += define(0x85, struct.pack(">H", 2020) + bytes([3, 2, 12, 0, 0]))  # of the measurement
    if missing is not None:
        content += define(0x12, struct.pack(">h", missing))
    for k, code in enumerate((2, 3)):
        content += bytes([0x3F, k]) + bytes([4]) + define(0x09, struct.pack(">H", code))
    return content + define(0x1E, digital.T.astype(">i2").tobytes()) + b"\x80\0"


def kardia(digital: np.ndarray, fs: int = 360) -> bytes:
    """A recording of AliveCor's Kardia API."""
    samples = {"leadII": digital[:, 0].tolist(), "V1": digital[:, 1].tolist()}
    raw = {"frequency": fs, "mainsFrequency": 50, "amplitudeResolution": STEP, "numLeads": 2, "samples": samples}
    about = {"id": "1", "patientID": "Secret", "recordedAt": "2020-03-02T12:00:00Z", "algorithmDetermination": "normal"}
    return json.dumps({**about, "duration": 30000, "data": {"raw": raw}}).encode()


def mat4(name: str, values: np.ndarray) -> bytes:
    """A variable of a MATLAB file of version 4: int16 or double, column by column."""
    kind, code = ("<i2", 30) if values.dtype.kind == "i" else ("<f8", 0)
    rows, columns = values.shape
    head = struct.pack("<5i", code, rows, columns, 0, len(name) + 1) + name.encode() + b"\0"
    return head + values.T.astype(kind).tobytes()


def mat5(variables: dict[str, np.ndarray | str | list[str]], compressed: bool = False) -> bytes:
    """A MATLAB file of version 5 (MAT-File Format, chapter 1): doubles, int16 and texts."""

    def element(kind: int, value: bytes) -> bytes:
        return struct.pack("<II", kind, len(value)) + value + bytes(-len(value) % 8)

    content = b"MATLAB 5.0 MAT-file, made".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    for name, value in variables.items():
        if isinstance(value, str | list):  # a list is a matrix of characters, a text in each row, column by column
            rows = [value] if isinstance(value, str) else [each.ljust(max(map(len, value))) for each in value]
            letters = "".join(map("".join, zip(*rows, strict=True)))
            matrix, shape, data = 4, (len(rows), len(rows[0])), element(4, letters.encode("utf-16-le"))
        else:
            integers, shape = value.dtype.kind == "i", value.shape
            matrix = 10 if integers else 6
            data = (
                element(3, value.T.astype("<i2").tobytes()) if integers else element(9, value.T.astype("<f8").tobytes())
            )
        body = element(6, struct.pack("<II", matrix, 0)) + element(5, struct.pack("<2i", *shape))
        whole = element(14, body + element(1, name.encode()) + data)
        packed = zlib.compress(whole)
        content += struct.pack("<II", 15, len(packed)) + packed if compressed else whole
    return content


def npy(values: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    """NumPy's .npy (NEP 1): a header that is a Python literal, then the array."""
    order = np.isfortran(values)
    head = f"{{'descr': '{values.dtype.str}', 'fortran_order': {order}, 'shape': {values.shape}, }}"
    head = head.ljust(117) + "\n"
    return (
        b"\x93NUMPY"
        + bytes(version)
        + struct.pack("<H", len(head))
        + head.encode()
        + values.tobytes("F" if order else "C")
    )


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    """NumPy's .npz: a ZIP archive of .npy files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            archive.writestr(f"{name}.npy", npy(values))
    return target.getvalue()


def text(digital: np.ndarray, separator: str = ",") -> bytes:
    """A CSV file in mV."""
    rows = (digital * (STEP / 1e6)).tolist()
    lines = [separator.join(LEADS), *(separator.join(f"{value:.3f}" for value in row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _matlab(digital: np.ndarray) -> bytes:
    scaled = digital * (STEP / 1e6)
    return mat5({"II": scaled[:, :1], "V1": scaled[:, 1:], "Fs": np.array([[360.0]]), "units": "mV"})


def _archive(digital: np.ndarray) -> bytes:
    return npz({"II": digital[:, 0] * (STEP / 1e6), "V1": digital[:, 1] * (STEP / 1e6), "fs": np.array(360.0)})


# By suffix: a file of the leads II and V1 at 360 Hz; .npy and CSV files take --fs 360, .npy names no lead.
WRITERS: dict[str, Callable[[np.ndarray], bytes]] = {
    ".edf": edf, ".bdf": bdf, ".ish": ishne, ".ecg": ishne, ".dcm": dicom, ".scp": scp, ".mwf": mfer, ".mfer": mfer,
    ".xml": aecg, ".json": kardia, ".mat": _matlab, ".npz": _archive,
    ".npy": lambda digital: npy(digital * (STEP / 1e6)),
    **dict.fromkeys((".csv", ".tsv", ".txt"), text),
    **{f"{suffix}.gz": lambda digital: gzip.compress(text(digital)) for suffix in (".csv", ".tsv", ".txt")},
}  # fmt: skip


def write(path: Path, digital: np.ndarray) -> Path:
    """Write the recording in the format of the path's suffix."""
    name = path.name.lower()
    suffix = max((each for each in WRITERS if name.endswith(each)), key=len)
    path.write_bytes(WRITERS[suffix](digital))
    return path
