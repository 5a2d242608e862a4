"""loaders.dsp.regular: where a rhythm is regular."""

from __future__ import annotations

import numpy as np

from loaders.dsp.regular import regular

BEATS = np.arange(0.5, 60, 5 / 6)  # s


def test_a_rhythm_is_regular_where_no_beat_lacks_or_comes_early() -> None:
    assert regular(BEATS, 60, 0.2)[5:55].all() and regular(BEATS, 60, 0.2, (0.0, 60.0)).all()
    lacking = regular(np.delete(BEATS, 36), 60, 0.2)  # the beat at 30.5 s
    assert lacking[6:25].all() and not lacking[26:36].any() and lacking[37:54].all()
    early = regular(np.insert(BEATS, 36, BEATS[35] + 1 / 3), 60, 0.2)
    assert early[6:24].all() and not early[25:35].any() and early[36:54].all()
    assert not regular(np.insert(BEATS, 36, BEATS[35] + 1 / 3), 60, 0.2)[30] and early[45]


def test_beats_that_end_before_the_signal_are_no_rhythm_to_its_end() -> None:
    silent = regular(BEATS[BEATS < 30], 60, 0.2, (0.0, 60.0))
    assert silent[:25].all() and not silent[26:].any() and not regular(BEATS[:0], 60, 0.2).any()
    assert not regular(BEATS[:4], 60, 0.2, (0.0, 60.0)).any()


def test_seconds_are_counted_from_any_beat() -> None:
    assert regular(BEATS - 20, 40, 0.2).tolist() == regular(BEATS, 60, 0.2)[20:].tolist()
