"""How rows lie, for what changes them."""

from __future__ import annotations

from typing import NamedTuple


class InputGeometry(NamedTuple):
    """How a dataset's rows and the numbers beside them lie.

    Attributes:
        origin: the sample that the R peak stands at.
        rate: samples per s.
        middle: what inverting turns about: 0.5 for rows scaled to [0, 1], else 0.
        columns: features of a beat; where neighbours come along, their features follow in the same order.
        tempo: which of them are logarithms of intervals.
    """

    origin: int = 0
    rate: float = 120.0
    middle: float = 0.5
    columns: int = 0
    tempo: tuple[int, ...] = ()


KAGGLE_GEOMETRY = InputGeometry()
