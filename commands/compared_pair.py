"""Episodes and measurements of two annotators of one recording, compared."""

from __future__ import annotations

from loaders.io.annotations import Pair
from toolbox.metrics.ec57 import beats_of, samples
from toolbox.metrics.heart_rate import heart_rates
from toolbox.metrics.hrv_series import hrv_series
from toolbox.metrics.measures import MeasureErrors, Series, compare_measures, measurements
from toolbox.metrics.rhythm_episodes import KINDS, EpisodeComparison, compare_episodes, episodes_of


def compared_episodes(pair: Pair, start: float) -> dict[str, EpisodeComparison]:
    """The comparison of each kind of episode that either annotator marks, from `start` s on."""
    end = _end(pair)
    compared = {}
    for kind in KINDS:
        reference = episodes_of(pair.reference.sample, pair.reference.symbol, pair.reference_texts, kind, end)
        test = episodes_of(pair.test.sample, pair.test.symbol, pair.test_texts, kind, end)
        if len(reference) or len(test):
            compared[kind] = compare_episodes(reference, test, pair.fs, samples(start, pair.fs), end)
    return compared


def compared_measures(pair: Pair, start: float, window: float) -> dict[str, MeasureErrors]:
    """The errors of the test's measurements from `start` s on, by name.

    They are heart rates and their variability, from the beats of both annotators, and each number that both annotation
    files hold measurements of.

    Args:
        window: s by which a shutdown without an end leaves the beats around it alone, as in the comparison of beats.
    """
    end = _end(pair)
    both = (pair.reference, pair.reference_texts, False), (pair.test, pair.test_texts, True)
    sides: list[dict[str, Series]] = []
    for marks, texts, judged in both:
        beats = beats_of(marks, samples(window, pair.fs), pair.length, judged)
        written = measurements(marks.sample, marks.symbol, marks.subtype, texts)
        names = {f"measurement_{number}": series for number, series in written.items()}
        variability = hrv_series(beats, pair.fs, start, end)
        sides.append({"heart_rate": heart_rates(beats, pair.fs), **variability, **names})
    reference, test = sides
    start_sample = samples(start, pair.fs)
    return {
        name: compare_measures(series, test[name], start_sample, end)
        for name, series in reference.items()
        if name in test and len(series.sample) and len(test[name].sample)
    }


def _end(pair: Pair) -> int:
    """The recording's end in samples; of unknown length, the reference's last annotation."""
    if pair.length is not None:
        return pair.length
    return int(pair.reference.sample[-1]) if len(pair.reference.sample) else 0
