"""Heart rates of an annotator's beats."""

import numpy as np

from toolbox.metrics.ec57 import beats_of
from toolbox.metrics.heart_rate import heart_rates


def rates(*marks):
    """Of (sample, symbol, subtype) at 100 samples a second."""
    columns = list(zip(*marks, strict=True))
    annotations = np.array(columns[0], dtype=np.int64), columns[1], np.array(columns[2])
    series = heart_rates(beats_of(annotations, 15, 10_000, judged=False), 100)
    return list(zip(series.sample.tolist(), series.value.tolist(), strict=True))


def test_it_is_the_mean_over_three_intervals_from_the_fourth_beat_on():
    assert rates((100, "N", 0), (200, "V", 0), (260, "N", 0)) == []
    marks = [(100, "N", 0), (200, "V", 0), (260, "N", 0), (400, "+", 0), (400, "N", 0), (500, "N", 0)]
    assert rates(*marks) == [(400, 60.0), (500, 60.0)]
    assert rates(*[(100 + 50 * k, "N", 0) for k in range(5)]) == [(250, 120.0), (300, 120.0)]


def test_no_interval_goes_over_a_shutdown_or_flutter():
    regular = [(100 * k, "N", 0) for k in range(1, 6)]
    for mark in ([(510, "~", -1), (890, "~", 0)], [(510, "[", 0), (890, "]", 0)]):
        later = [(900 + 50 * k, "N", 0) for k in range(4)]
        assert [at for at, _ in rates(*regular, *mark, *later)] == [400, 500, 1050]
