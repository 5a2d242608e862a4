"""Test beats with their probabilities: they come back as they went in, in the order of their numbers."""

from pathlib import Path

import numpy as np
import pytest

from toolbox.reports.scored_beats import ScoredBeats, beats_path, read_scored_beats, write_scored_beats
from toolbox.utils import UserError

NAMES = ("Normal", "Ventricular ectopic")


def made() -> ScoredBeats:
    """Three beats of two records."""
    origin = {"record": np.array(["a", "b", "b"]), "patient": np.array(["p", "q", "q"]), "symbol": np.array(["N"] * 3)}
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
    return ScoredBeats(np.array([7, 2, 4]), np.array([0, 1, 1]), probabilities, origin, NAMES)


def test_they_come_back_in_the_order_of_their_numbers(tmp_path: Path):
    write_scored_beats(tmp_path, 3, made())
    beats = read_scored_beats(tmp_path, 3)
    assert beats.ids.tolist() == [2, 4, 7] and beats.labels.tolist() == [1, 1, 0]
    assert beats.called.tolist() == [1, 0, 0] and beats.names == NAMES
    assert beats.origin["record"].tolist() == ["b", "b", "a"]
    assert beats.probabilities[0].tolist() == pytest.approx([0.2, 0.8])


def test_where_none_are_kept_there_are_none(tmp_path: Path):
    assert read_scored_beats(tmp_path, 3) is None


@pytest.mark.parametrize("damage", ["cut", "text", "label"])
def test_damaged_files_are_named(tmp_path: Path, damage: str):
    beats = made()
    if damage == "label":
        beats = ScoredBeats(beats.ids, np.array([0, 1, 9]), beats.probabilities, beats.origin, NAMES)
    path = write_scored_beats(tmp_path, 3, beats)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    if damage == "text":
        path.write_text("no arrays")
    with pytest.raises(UserError, match=r"test_beats_ep3\.npz is damaged: .*--test"):
        read_scored_beats(tmp_path, 3)
    assert beats_path(tmp_path, 3) == path
