"""A score with its interval as text: for the terminal, LaTeX and pages alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from toolbox.metrics.proportions import Share, is_degenerate, wilson

PER_CENT = ("accuracy", "macro_f1", "Se", "+P", "F1")  # scores that are shown as such
ALIKE = "no draw of patients differs"
ALIKE_NOTE = (
    f"{ALIKE}, as of a class that one patient has; in brackets Wilson's interval over beats, which is too narrow, "
    "as beats of one patient are alike"
)


class ScoreText(NamedTuple):
    """The parts of a score as text.

    Attributes:
        value: the score, or so many of so many beats where its interval says nothing.
        low, high: the ends of its interval, "" where there is none.
        alike: whether the interval over patients is a point, so that the one here is over beats, or none.
    """

    value: str
    low: str = ""
    high: str = ""
    alike: bool = False

    def joined(self, mark: str = "*", unit: str = "") -> str:
        """In one piece: "85.64 % [70.1, 93.2]", "0 of 28 [0.0, 12.1]*"."""
        counted = " of " in self.value
        text = self.value if counted or self.value == "-" else f"{self.value}{unit}"
        text += f" [{self.low}, {self.high}]" if self.low else ""
        return text + (mark if self.alike else "")


def score_text(key: str, figure: Mapping[str, float | None], share: Share | None = None, digits: int = 2) -> ScoreText:
    """A score {"value", "low", "high"} as text, "-" where it is not defined.

    Args:
        key: its name; those of PER_CENT are shown as such.
        share: of beats that it is, if it is one.
        digits: of a value in per cent.
    """
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return ScoreText("-")
    scale, places, ends = (100, digits, 1) if key in PER_CENT else (1, 3, 3)
    shown = f"{scale * value:.{places}f}"
    if low is None or high is None:
        return ScoreText(shown)
    alike = is_degenerate(figure)
    if alike and share is None:
        return ScoreText(shown, alike=True)
    if alike and share is not None:
        shown = f"{share.hits:,} of {share.beats:,}"
        low, high = wilson(share)
    return ScoreText(shown, f"{scale * low:.{ends}f}", f"{scale * high:.{ends}f}", alike)
