"""A signal for pictures: quantized, thinned when it is long, and compressed in parts that a page unpacks one by one."""

from __future__ import annotations

import zlib
from functools import lru_cache

import numpy as np

INPUT_FS = 360  # Hz
QUANTUM = 0.005  # mV, half of the finest thing seen on paper at 10 mm/mV
PART_SECONDS = 1800  # compressed together
THINNING = 3  # a long signal keeps every third sample: 120 Hz, as models read it
FULL_PARTS = 4  # parts of a signal that is not thinned, at most
ZLIB_LEVEL = 3  # 6 takes twice the time for 3 % less
MISSING = -32768  # stands for NaN


class CompressedTrace:
    """Compresses a signal as it arrives: to about 0.4 MB an hour, 1 MB while it is short.

    Attributes:
        parts: each of PART_SECONDS (the last shorter), as `_pack` compresses them.
        step: input samples per kept sample.
        samples: length of the input.
    """

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.step = 1
        self.samples = 0
        self._held: list[np.ndarray] = []  # int16, of the next part, not thinned

    @property
    def rate(self) -> float:
        """Kept samples per second."""
        return INPUT_FS / self.step

    @property
    def seconds(self) -> float:
        """The length of the signal."""
        return self.samples / INPUT_FS

    def add(self, signal: np.ndarray) -> None:
        """Add the next samples (n,), mV at 360 Hz, NaN where they are missing."""
        with np.errstate(invalid="ignore"):
            levels = np.clip(np.rint(signal / QUANTUM), -32767, 32767)
        self._held.append(np.where(np.isnan(levels), MISSING, levels).astype(np.int16))
        self.samples += len(signal)
        if sum(map(len, self._held)) >= PART_SECONDS * INPUT_FS:
            whole = np.concatenate(self._held)
            while len(whole) >= PART_SECONDS * INPUT_FS:
                self._store(whole[: PART_SECONDS * INPUT_FS])
                whole = whole[PART_SECONDS * INPUT_FS :]
            self._held = [whole]

    def copy(self) -> CompressedTrace:
        """One of its own that goes on from here."""
        other = CompressedTrace()
        other.parts, other.step, other.samples, other._held = [*self.parts], self.step, self.samples, [*self._held]
        return other

    def finish(self) -> CompressedTrace:
        """Compress the rest of the signal."""
        if sum(map(len, self._held)):
            self._store(np.concatenate(self._held))
        self._held = []
        return self

    def read(self, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """Times (n,) in s and the kept signal (n,) in mV from `start` to `stop` s."""
        first, last = max(0, round(start * self.rate)), min(round(stop * self.rate), -(-self.samples // self.step))
        each = PART_SECONDS * INPUT_FS // self.step
        parts = range(first // each, max(last - 1, first) // each + 1)
        signal = np.concatenate(
            [_unpack(self.parts[k]) for k in parts if k < len(self.parts)] or [np.zeros(0, np.int16)]
        )
        cut = signal[first - parts.start * each : last - parts.start * each]
        return np.arange(first, first + len(cut)) / self.rate, np.where(cut == MISSING, np.nan, cut * QUANTUM)

    def _store(self, levels: np.ndarray) -> None:
        self.parts.append(_pack(levels[:: self.step]))
        if self.step == 1 and len(self.parts) > FULL_PARTS:
            self.step = THINNING
            self.parts = [_pack(_unpack(part)[::THINNING]) for part in self.parts]


def _pack(levels: np.ndarray) -> bytes:
    """Compress int16 samples: differences, zigzag (0, -1, 1, -2 become 0, 1, 2, 3), low bytes then high ones, zlib."""
    steps = np.diff(levels, prepend=np.int16(0))  # wraps around, as does the sum in `_unpack`
    zigzag = ((steps << 1) ^ (steps >> 15)).astype("<u2")
    return zlib.compress(zigzag.view(np.uint8).reshape(-1, 2).T.tobytes(), ZLIB_LEVEL)


@lru_cache(maxsize=2)  # thousands of short reads, one after the other
def _unpack(part: bytes) -> np.ndarray:
    planes = np.frombuffer(zlib.decompress(part), dtype=np.uint8).reshape(2, -1).astype(np.uint16)
    zigzag = planes[0] | planes[1] << 8
    steps = (zigzag >> 1).astype(np.int16) ^ -(zigzag & 1).astype(np.int16)
    return np.cumsum(steps, dtype=np.int16)
