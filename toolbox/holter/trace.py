"""A signal to look at: quantized, thinned when it is long, and packed in parts that a page unpacks one by one."""

from __future__ import annotations

import zlib

import numpy as np

RATE = 360  # samples per second that come in
QUANTUM = 0.005  # mV, half of the finest thing seen on paper at 10 mm/mV
PART = 1800  # s that are packed together
THINNED = 3  # a long signal keeps every third sample, as models see it
LONG = 4  # parts; from there on
LEVEL = 3  # of zlib: 6 takes twice the time for 3 % less
MISSING = -32768  # stands for NaN


class CompressedTrace:
    """Takes a signal as it comes and keeps it packed: about 0.4 MB an hour, 1 MB while it is short.

    Attributes:
        parts: each PART seconds (the last fewer), as `_pack` packs them.
        step: every how many samples one is kept.
        samples: how many came in.
    """

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.step = 1
        self.samples = 0
        self._held: list[np.ndarray] = []  # int16, of the part to come, not thinned

    @property
    def rate(self) -> float:
        """Samples kept per second."""
        return RATE / self.step

    @property
    def seconds(self) -> float:
        """How long the signal is."""
        return self.samples / RATE

    def add(self, signal: np.ndarray) -> None:
        """Take the next samples (n,), mV at 360 Hz, NaN where there are none."""
        with np.errstate(invalid="ignore"):
            levels = np.clip(np.rint(signal / QUANTUM), -32767, 32767)
        self._held.append(np.where(np.isnan(levels), MISSING, levels).astype(np.int16))
        self.samples += len(signal)
        if sum(map(len, self._held)) >= PART * RATE:
            whole = np.concatenate(self._held)
            while len(whole) >= PART * RATE:
                self._store(whole[: PART * RATE])
                whole = whole[PART * RATE :]
            self._held = [whole]

    def finish(self) -> CompressedTrace:
        """Pack what is left; nothing more comes."""
        if sum(map(len, self._held)):
            self._store(np.concatenate(self._held))
        self._held = []
        return self

    def read(self, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
        """Times (n,) in s and the signal (n,) in mV from `start` to `stop` s, as it is kept."""
        first, last = max(0, round(start * self.rate)), min(round(stop * self.rate), -(-self.samples // self.step))
        each = PART * RATE // self.step
        parts = range(first // each, max(last - 1, first) // each + 1)
        signal = np.concatenate(
            [_unpack(self.parts[k]) for k in parts if k < len(self.parts)] or [np.zeros(0, np.int16)]
        )
        cut = signal[first - parts.start * each : last - parts.start * each]
        return np.arange(first, first + len(cut)) / self.rate, np.where(cut == MISSING, np.nan, cut * QUANTUM)

    def _store(self, levels: np.ndarray) -> None:
        self.parts.append(_pack(levels[:: self.step]))
        if self.step == 1 and len(self.parts) > LONG:
            self.step = THINNED
            self.parts = [_pack(_unpack(part)[::THINNED]) for part in self.parts]


def _pack(levels: np.ndarray) -> bytes:
    """Differences of int16 samples, zigzag (0, -1, 1, -2 become 0, 1, 2, 3), low bytes then high ones, deflated."""
    steps = np.diff(levels, prepend=np.int16(0))  # wraps around, as does the sum that undoes it
    zigzag = ((steps << 1) ^ (steps >> 15)).astype("<u2")
    return zlib.compress(zigzag.view(np.uint8).reshape(-1, 2).T.tobytes(), LEVEL)


def _unpack(part: bytes) -> np.ndarray:
    planes = np.frombuffer(zlib.decompress(part), dtype=np.uint8).reshape(2, -1).astype(np.uint16)
    zigzag = planes[0] | planes[1] << 8
    steps = (zigzag >> 1).astype(np.int16) ^ -(zigzag & 1).astype(np.int16)
    return np.cumsum(steps, dtype=np.int16)
