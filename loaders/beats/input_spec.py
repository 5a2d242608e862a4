"""What a row is: its recipe, and rows and features of a recording by it, for training and prediction alike."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from loaders import FEATURES, splicing
from loaders.beats.features.rr import Recording, compute, group, names_of, tempo_columns
from loaders.beats.input_geometry import KAGGLE_GEOMETRY, InputGeometry
from loaders.beats.table import DECIMATION, TAIL
from loaders.beats.table import RATE as DIGITIZED
from loaders.beats.windows import FIRST_LEAD, MEDIANS, cleaned, scaled, windows
from loaders.dsp.chunks import CONTEXT, LIVE_AHEAD, Chunk
from toolbox.utils import UserError

if TYPE_CHECKING:
    from loaders.datasets.dataset import Data

RATE, HIGHPASS = 120.0, 0.5  # Hz, of the signal that features are taken from beside Kaggle's rows


@dataclass(frozen=True)
class InputSpec:
    """What a row and the numbers beside it are; see the flags of the same names.

    Attributes:
        context: "kaggle", 187 samples of the first lead from the R peak on, or "window".
        before, after: s, of a window.
        rate, highpass: Hz.
        baseline: "highpass" or "median", see `windows.cleaned`.
        leads: of a window; features of shape look at as many.
        scale: "record", "window" or "none".
        features: groups, in order.
        spliced: kinds of made-up patients, and how many of each a record gives.
    """

    context: str = "kaggle"
    before: float = 0.0
    after: float = 0.0
    rate: float = RATE
    leads: int = 1
    scale: str = "record"
    highpass: float = HIGHPASS
    features: tuple[str, ...] = ()
    baseline: str = "highpass"
    spliced: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, args: Namespace) -> InputSpec:
        """The recipe that the flags tell; what has no meaning beside Kaggle's rows is left at its default."""
        if args.context == "kaggle":
            return cls(features=tuple(args.features))
        window = {"before": args.window_before, "after": args.window_after, "rate": args.window_rate}
        highpass = args.highpass if args.baseline == "highpass" else 0.0
        rest = {"leads": args.leads, "scale": args.scale, "highpass": highpass, "baseline": args.baseline}
        spliced = tuple(splicing(args.spliced).items())
        return cls("window", **window, **rest, features=tuple(args.features), spliced=spliced)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> InputSpec:
        """What `known_by` gave.

        Raises:
            TypeError, ValueError, AttributeError: it was something else.
        """
        spliced = tuple((str(kind), int(count)) for kind, count in values["spliced"].items())
        return cls(**{**values, "features": tuple(values["features"]), "spliced": spliced})

    def shape(self) -> dict[str, int]:
        """What a model must know of windows x (B, in_channels, length) and features (B, features)."""
        length = round(self.before * self.rate) + round(self.after * self.rate)
        return {"in_channels": self.leads, "length": length, "features": len(names_of(self.features, self.leads))}

    def frame(self) -> InputGeometry:
        """How the rows lie."""
        columns, shifted = len(names_of(self.features, self.leads)), tempo_columns(self.features, self.leads)
        if self.context == "kaggle":
            return KAGGLE_GEOMETRY._replace(columns=columns, tempo=shifted)
        return InputGeometry(round(self.before * self.rate), self.rate, 0.0, columns, shifted)

    def future(self) -> list[str]:
        """Lines that say how far ahead of the R peak each part of a row looks."""
        lines = ["", "what a row knows of the time after its R peak"]
        if self.context == "kaggle":
            lines.append("row: 1.56 s at most; its end and its scale reach 0.2 RR intervals behind the next annotation")
        else:
            scale = {"record": "; its scale is the whole recording's", "window": "", "none": ""}[self.scale]
            smooth = f"; the high-pass filter feels about {self._felt():.2g} s more" if self.highpass else ""
            if self.baseline == "median":
                smooth = f"; the medians and the low-pass feel {self._felt():g} s more"
            lines.append(f"row: {self.after:g} s{smooth}; resampling, {10 / self.rate:.2g} s more{scale}")
        return lines + [f"{name}: {group(name).future}" for name in self.features]

    def _felt(self) -> float:
        """s behind a window that its filters feel."""
        if self.baseline == "median":
            return sum(MEDIANS) / 2 + 0.1
        return 0.5 / self.highpass if self.highpass else 0.0

    def check_live(self, name: str) -> None:
        """UserError unless rows can be had of a recording that is still coming; `name` is who reads them."""
        ahead, back = (part + self._felt() + 10 / self.rate for part in (self.after, self.before))
        late = [each for each in self.features if not group(each).live]
        if self.leads > 1:
            why = f"of {self.leads} leads; a stream is one (--leads 1)"
        elif self.scale == "record":
            why = "in units of the whole recording, which a stream does not know (--scale window)"
        elif late:
            known = ", ".join(name for name in FEATURES if group(name).live)
            why = f"and {', '.join(late)}, which take what comes long after; a stream knows {known} (--features)"
        elif ahead > LIVE_AHEAD:
            why = f"that depend on {ahead:.3g} s after an R peak; a stream knows {LIVE_AHEAD:g} s (--window-after)"
        elif back > CONTEXT:
            why = f"that depend on {back:.3g} s before an R peak; a stream keeps {CONTEXT:g} s (--window-before)"
        else:
            return
        raise UserError(f"{name} reads windows {why}")

    def known_by(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return {**asdict(self), "features": list(self.features), "spliced": dict(self.spliced)}

    def values(self, signal: np.ndarray, at: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows (n, leads, samples) float32 and features (n, k) float32 or None, of the beats of a recording.

        Args:
            signal: (samples, leads) at `rate`, cleaned as the recipe says.
            at: (n,) samples of the R peaks.
            times: (n,) s, when they are.
        """
        own = scaled(signal, at, self.rate) if self.features or self.scale == "record" else signal
        shown = own if self.scale == "record" else signal
        x = windows(shown, at, round(self.before * self.rate), round(self.after * self.rate), self.scale == "window")
        return x, self.numbers(own, at, times)

    def cleaned(self, signal: np.ndarray, fs: float) -> np.ndarray:
        """(samples at `rate`, leads) of a signal (samples at `fs`, leads), as `values` takes it."""
        return cleaned(signal, fs, self.rate, self.highpass, self.baseline)

    def values_in(
        self, piece: Chunk, signal: np.ndarray, sample: np.ndarray, fs: float
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """`values` of beats at `sample` (n,), in the recording's own samples at `fs` Hz, of a piece of it whose leads
        are `signal` (samples, leads), the right way up."""
        clean = self.cleaned(signal.astype(np.float64, copy=False), DIGITIZED)
        at = np.round((sample - piece.first) / piece.step * (self.rate / DIGITIZED)).astype(np.int64)
        return self.values(clean, np.minimum(at, len(clean) - 1), sample / fs)

    def numbers(self, signal: np.ndarray, at: np.ndarray, times: np.ndarray) -> np.ndarray | None:
        """The features of `values` alone; of a signal in units of the recording's typical beat."""
        if not self.features:
            return None
        return compute(self.features, Recording(times, signal, at, self.rate))


def describe_row(args: Namespace, data: Data) -> dict[str, Any]:
    """The recipe of a row as plain values.

    Returns:
        "kind" ("kaggle" or "window"), "in_channels", "length" (samples), "features" (numbers beside it), "beats" (rows
        that come together), "fs" (its samples per second), "lead", "steps" (what to do, in words), and, of "kaggle",
        "signal_fs", "decimate" and "tail", which loaders.beats.table.rows_at counts in, else "recipe".
    """
    found: dict[str, Any] = {"kind": args.context, **data.train.shape(), "lead": FIRST_LEAD}
    if names := data.facts.get("features"):
        found["feature_names"] = list(names)
    if args.context == "kaggle":
        numbers = {"fs": DIGITIZED / DECIMATION, "signal_fs": DIGITIZED, "decimate": DECIMATION, "tail": TAIL}
        steps = (
            f"one lead at {DIGITIZED:g} Hz, from the R peak to {100 * TAIL:g} % of the RR interval that follows behind "
            f"the next R peak; every {DECIMATION}rd sample, without a filter; (x - min) / (max - min) over all of it; "
            f"cut, or filled with zeros on the right, to {found['length']} samples"
        )
        return {**found, **numbers, "steps": steps}
    steps = "the window of signal around the R peak that loaders/beats/input_spec.py cuts, and the features beside it"
    return {**found, "fs": float(args.window_rate), "recipe": InputSpec.of(args).known_by(), "steps": steps}
