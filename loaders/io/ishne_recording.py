"""ISHNE Holter files to annotate (Badilini 1998, Ann Noninvasive Electrocardiol 3(3):263-266), read block by block."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loaders.io.recording import Lead, Recording
from loaders.io.start_time import clock_of, day_of, settled
from toolbox.utils import UserError

MAGIC = b"ISHNE1.0"
HEADER_BYTES = 522  # magic, checksum and the fixed block; a block of text of any length follows, then the samples
MOST_LEADS = 12
LEAD_NAMES = {  # Table 1; codes 0 (unknown) and 1 (bipolar) name no lead
    **dict(enumerate("X Y Z I II III aVR aVL aVF V1 V2 V3 V4 V5 V6 ES AS AI".split(), start=2)),
}
LEAD_FAULT = -32768  # the sample that the standard proposes where an electrode is off


@dataclass
class IshneRecording(Recording):
    """An ISHNE file: 16-bit samples of all leads in turn.

    Attributes:
        offset: bytes before the first sample.
        frames: samples of each lead.
    """

    offset: int = 0
    frames: int = 0

    @property
    def seconds(self) -> float:
        """See `Recording.seconds`."""
        return self.frames / self.leads[0].fs

    def stream(self, lead: int, size: int) -> Iterator[np.ndarray]:
        """See `Recording.stream`."""
        width, scale = len(self.leads), self.leads[lead].scale or 1.0
        with open(self.path, "rb") as handle:
            handle.seek(self.offset)
            for start in range(0, self.frames, size):
                n = min(size, self.frames - start)
                content = handle.read(2 * width * n)
                if len(content) < 2 * width * n:
                    raise UserError(f"{self.path} became shorter while it was read")
                digital = np.frombuffer(content, dtype="<i2")[lead::width]
                block = (digital * scale).astype(np.float32)
                block[digital == LEAD_FAULT] = np.nan
                yield block


def open_ishne(path: Path) -> IshneRecording:
    """Open the ISHNE file `path`.

    Raises:
        UserError: it is no ISHNE file, its header makes no sense, or it has no samples.
    """
    size = path.stat().st_size
    with open(path, "rb") as handle:
        header = handle.read(HEADER_BYTES)
    if not header.startswith(MAGIC):
        raise UserError(f"{path} is no ISHNE file: expected {MAGIC.decode()} at its beginning")
    if len(header) < HEADER_BYTES:
        raise UserError(f"{path} is cut off within its header: {size} bytes, the header has {HEADER_BYTES}")
    text_bytes, stated, _, offset = struct.unpack_from("<4i", header, 10)
    (width,) = struct.unpack_from("<h", header, 156)
    (fs,) = struct.unpack_from("<h", header, 272)
    if not 1 <= width <= MOST_LEADS or fs <= 0 or not 0 <= text_bytes <= size - HEADER_BYTES:
        raise UserError(
            f"{path}: its header states {width} leads at {fs} Hz and {text_bytes} bytes of text, which cannot be"
        )
    frames = (size - HEADER_BYTES - text_bytes) // (2 * width)
    if not frames:
        raise UserError(f"{path} has no samples")
    leads = _leads(width, fs, header)
    notes = [] if _is_sound(path, header, text_bytes) else ["the checksum of its header is wrong: is it damaged?"]
    if offset != HEADER_BYTES + text_bytes:
        notes.append(f"its header puts the samples at byte {offset}; read from byte {HEADER_BYTES + text_bytes}, where "
                     "its text ends")  # fmt: skip
    if stated > frames and stated != frames * width:  # some recorders state the samples of all leads together
        notes.append(f"it is cut off: its header states {stated} samples of each lead, it holds {frames}")
    day, month, year = struct.unpack_from("<3h", header, 138)
    start = settled(day_of(year, month, day), clock_of(*struct.unpack_from("<3h", header, 150)))
    return IshneRecording(
        path, path.stem, "ISHNE", leads, [path], notes, HEADER_BYTES + text_bytes, frames, start=start
    )  # fmt: skip


def _is_sound(path: Path, header: bytes, text_bytes: int) -> bool:
    """Check whether the header's checksum fits, in either byte order; recorders that compute none write 0."""
    (stored,) = struct.unpack_from("<H", header, 8)
    with open(path, "rb") as handle:
        block = handle.read(HEADER_BYTES + text_bytes)[10:]
    return stored in (0, own := binascii.crc_hqx(block, 0xFFFF), (own & 0xFF) << 8 | own >> 8)


def _leads(width: int, fs: int, header: bytes) -> list[Lead]:
    """The leads as the header describes them; those without a name of their own are called by their number."""
    codes = struct.unpack_from(f"<{width}h", header, 158)
    nanovolts = struct.unpack_from(f"<{width}h", header, 206)  # of a unit
    names = [LEAD_NAMES.get(code, f"channel {k + 1}") for k, code in enumerate(codes)]
    leads = []
    for k, (name, gain) in enumerate(zip(names, nanovolts, strict=True)):
        unique = f"{name} ({k + 1})" if name in names[:k] else name
        if gain <= 0:
            leads.append(Lead(unique, "", None, float(fs)))
            continue
        scale = gain * 1e-6
        leads.append(Lead(unique, f"{gain} nV", scale, float(fs), -32767 * scale, 32767 * scale))
    return leads
