"""The input of a model for one beat: InputSpec describes and cuts rows and features, for training and prediction."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from loaders.beats.features.base import FeatureInput, Remembered
from loaders.beats.features.memory import remembered
from loaders.beats.features.table import FEATURES, compute, group, names_of, tempo_columns
from loaders.beats.windows import scaled, windows
from loaders.dsp.chunks import CONTEXT, LIVE_AHEAD, Chunk
from loaders.dsp.filters import MEDIANS, clean
from loaders.dsp.resample import MITBIH_FS, positions
from loaders.names import parse_spliced
from loaders.options import InputOptions
from toolbox.utils import UserError

KAGGLE_FS = 120.0  # Hz, of Kaggle's rows, and of the signal that the features beside them are computed from
HIGHPASS = 0.5  # Hz, of that signal


class InputGeometry(NamedTuple):
    """Geometry of a model input (R-peak position, sampling rate, feature columns), for augmentations.

    Attributes:
        origin: the sample that the R peak stands at.
        rate: samples per s.
        middle: the level that inverting turns about: 0.5 for rows scaled to [0, 1], else 0.
        columns: features of a beat; where neighbours come along, their features follow in the same order.
        tempo: the columns that are logarithms of intervals.
    """

    origin: int = 0
    rate: float = KAGGLE_FS
    middle: float = 0.5
    columns: int = 0
    tempo: tuple[int, ...] = ()


KAGGLE_GEOMETRY = InputGeometry()


@dataclass(frozen=True)
class InputSpec:
    """A row and the features beside it; see the flags of the same names.

    Attributes:
        context: "kaggle", 187 samples of the first lead from the R peak on, or "window".
        before, after: s, of a window.
        rate, highpass: Hz.
        baseline: "highpass" or "median", see `dsp.filters.clean`.
        leads: of a window; features of shape look at as many.
        scale: "record", "window" or "none".
        features: groups, in order.
        spliced: kinds of synthetic patients made of real beats, and how many of each a record gives.
    """

    context: str = "kaggle"
    before: float = 0.0
    after: float = 0.0
    rate: float = KAGGLE_FS
    leads: int = 1
    scale: str = "record"
    highpass: float = HIGHPASS
    features: tuple[str, ...] = ()
    baseline: str = "highpass"
    spliced: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, options: InputOptions | Namespace, spliced: str = "none") -> InputSpec:
        """The spec of these flags; those without meaning beside Kaggle's rows are left at their defaults.

        Args:
            options: the flags as attributes.
            spliced: the flag of synthetic patients.
        """
        features = tuple(options.features)
        if options.context == "kaggle":
            return cls(features=features)
        return cls(
            "window",
            before=options.window_before,
            after=options.window_after,
            rate=options.window_rate,
            leads=options.leads,
            scale=options.scale,
            highpass=options.highpass if options.baseline == "highpass" else 0.0,
            features=features,
            baseline=options.baseline,
            spliced=tuple(parse_spliced(spliced).items()),
        )

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> InputSpec:
        """The spec of the plain values that `to_plain` returned.

        Raises:
            TypeError, ValueError, AttributeError: they are others.
        """
        spliced = tuple((str(kind), int(count)) for kind, count in values["spliced"].items())
        return cls(**{**values, "features": tuple(values["features"]), "spliced": spliced})

    def shape(self) -> dict[str, int]:
        """The arguments that a model is built with for windows x (B, in_channels, length), features (B, features)."""
        length = round(self.before * self.rate) + round(self.after * self.rate)
        return {"in_channels": self.leads, "length": length, "features": len(names_of(self.features, self.leads))}

    def geometry(self) -> InputGeometry:
        """The geometry of the rows."""
        columns, shifted = len(names_of(self.features, self.leads)), tempo_columns(self.features, self.leads)
        if self.context == "kaggle":
            return KAGGLE_GEOMETRY._replace(columns=columns, tempo=shifted)
        return InputGeometry(round(self.before * self.rate), self.rate, 0.0, columns, shifted)

    def future(self) -> list[str]:
        """Text: how far ahead of the R peak each part of a row looks."""
        lines = ["", "how far a row reaches behind its R peak"]
        if self.context == "kaggle":
            lines.append("row: 1.56 s at most; its end and its scale reach 0.2 RR intervals behind the next annotation")
        else:
            scale = {"record": "; its scale is the whole recording's", "window": "", "none": ""}[self.scale]
            smooth = (
                f"; the high-pass filter reaches about {self._filter_reach():.2g} s further" if self.highpass else ""
            )
            if self.baseline == "median":
                smooth = f"; the medians and the low-pass reach {self._filter_reach():g} s further"
            lines.append(f"row: {self.after:g} s{smooth}; resampling, {10 / self.rate:.2g} s further{scale}")
        return lines + [f"{name}: {group(name).future}" for name in self.features]

    def _filter_reach(self) -> float:
        """s beyond a window's ends that its filters depend on."""
        if self.baseline == "median":
            return sum(MEDIANS) / 2 + 0.1
        return 0.5 / self.highpass if self.highpass else 0.0

    def check_live(self, name: str) -> None:
        """Raise UserError unless rows can be cut from a stream; `name` is that of the model that reads them."""
        ahead, back = (part + self._filter_reach() + 10 / self.rate for part in (self.after, self.before))
        late = [each for each in self.features if not group(each).live]
        if self.leads > 1:
            why = f"of {self.leads} leads; a stream is one (--leads 1)"
        elif self.scale == "record":
            why = "in units of the whole recording, which a stream does not know (--scale window)"
        elif late:
            live = ", ".join(name for name, each in FEATURES.items() if each.live)
            why = f"and {', '.join(late)}, which depend on beats long after; a stream knows {live} (--features)"
        elif ahead > LIVE_AHEAD:
            why = f"that depend on {ahead:.3g} s after an R peak; a stream knows {LIVE_AHEAD:g} s (--window-after)"
        elif back > CONTEXT:
            why = f"that depend on {back:.3g} s before an R peak; a stream keeps {CONTEXT:g} s (--window-before)"
        else:
            return
        raise UserError(f"{name} reads windows {why}")

    def to_plain(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {**asdict(self), "features": list(self.features), "spliced": dict(self.spliced)}

    @property
    def remembered(self) -> int:
        """Beats before one that its features look at, however long ago; 0 where the signal around will do."""
        return max((group(name).remembered for name in self.features), default=0)

    def values(self, signal: np.ndarray, at: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows (n, leads, samples) float32 and features (n, k) float32 or None, of the beats of a recording.

        Args:
            signal: (samples, leads) at `rate`, from `clean`.
            at: (n,) samples of the R peaks.
            times: (n,) s, of the same.
        """
        own = scaled(signal, at, self.rate) if self.features or self.scale == "record" else signal
        return self._windows(signal, own, at), self.numbers(own, at, times)

    def _windows(self, signal: np.ndarray, own: np.ndarray, at: np.ndarray) -> np.ndarray:
        """The windows of `values`, of a signal and of the same in units of the recording's typical beat."""
        shown = own if self.scale == "record" else signal
        return windows(shown, at, round(self.before * self.rate), round(self.after * self.rate), self.scale == "window")

    def clean(self, signal: np.ndarray, fs: float) -> np.ndarray:
        """(samples at `rate`, leads) of a signal (samples at `fs`, leads), as `values` takes it."""
        return clean(signal, fs, self.rate, self.highpass, self.baseline)

    def values_in(
        self, chunk: Chunk, signal: np.ndarray, sample: np.ndarray, fs: float, earlier: Remembered | None = None
    ) -> tuple[np.ndarray, np.ndarray | None, Remembered | None]:
        """`values` of beats at `sample` (n,), in the recording's own samples at `fs` Hz, of a chunk of it whose leads
        are `signal` (samples, leads), the right way up; and the new ones among them to be remembered.

        Args:
            earlier: the last beats before these, if features look further back than the chunk.
        """
        cleaned = self.clean(signal.astype(np.float64, copy=False), MITBIH_FS)
        at = positions((sample - chunk.first) / chunk.step, MITBIH_FS, self.rate, len(cleaned))
        if not self.remembered:
            return *self.values(cleaned, at, sample / fs), None
        own = scaled(cleaned, at, self.rate)
        beats = FeatureInput(sample / fs, own, at, self.rate, cleaned, earlier)
        return self._windows(cleaned, own, at), compute(self.features, beats), remembered(beats)

    def numbers(self, signal: np.ndarray, at: np.ndarray, times: np.ndarray) -> np.ndarray | None:
        """The features of `values` alone, of a signal in units of the recording's typical beat."""
        if not self.features:
            return None
        return compute(self.features, FeatureInput(times, signal, at, self.rate))
