"""The signals of leads as pages show them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolbox.holter.trace import CompressedTrace


class ShownLeads:
    """Compresses the signals of the leads of one recording while they are read, for pictures.

    Args:
        names: of the leads, the one to annotate first.
        trace: what is shown of the recording: moment by moment the lead that beats were taken from. It is compressed
            elsewhere, and is that of the first lead as long as no other takes its place.
    """

    def __init__(self, names: Sequence[str], trace: CompressedTrace) -> None:
        self.names = list(names)
        self._trace = trace
        self._first: CompressedTrace | None = None
        self._others = [CompressedTrace() for _ in names[1:]]

    def add(self, signals: Sequence[np.ndarray], switched: bool) -> None:
        """Take the next samples (m,) of each lead at 360 Hz, mV, NaN where they are missing, before the trace takes
        its own; `switched` says that these are another lead's in part."""
        if switched and self._first is None:
            self._first = self._trace.copy()
        for trace, signal in zip(self._others, signals[1:], strict=True):
            trace.add(signal)
        if self._first is not None:
            self._first.add(signals[0])

    def finish(self) -> dict[str, CompressedTrace]:
        """The trace of each lead but the first; of that, too, where another took its place."""
        first = {} if self._first is None else {self.names[0]: self._first.finish()}
        return first | {name: trace.finish() for name, trace in zip(self.names[1:], self._others, strict=True)}
