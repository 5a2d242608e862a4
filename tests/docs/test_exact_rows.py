"""Rows of the pages that are made of kept files, to the letter: a figure in another column or row is wrong."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchmarks.table import markdown, read_recipe
from tests.conftest import ROOT


def kept(name: str) -> Any:
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def pair(scores: dict[str, Any], group: str) -> str:
    shown = ["-" if scores[group][kind] is None else f"{100 * scores[group][kind]:.2f}" for kind in ("Se", "+P")]
    return " / ".join(shown)


def of_seeds(seeds: list[dict[str, Any]], key: str, digits: int, spread: bool = True) -> str:
    values = [each[key] or 0.0 for each in seeds]
    more = f" ± {np.std(values, ddof=1):.{digits}f}" if spread and len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{more}"


def ds2_row(title: str, seeds: list[dict[str, Any]]) -> str:
    """A row of the table of DS1 to DS2."""
    cells = [of_seeds(seeds, "accuracy", 4)]
    for of in "SV":
        both = " / ".join(of_seeds(seeds, f"{of} {kind}", 3, spread=False) for kind in ("Se", "+P"))
        cells.append(f"{of_seeds(seeds, f'{of} F1', 3)} ({both})")
    cells += [of_seeds(seeds, "F F1", 2), of_seeds(seeds, "kappa", 3, spread=False), of_seeds(seeds, "j_kappa", 3)]
    return f"| {title} | {' | '.join(cells)} |\n"


def test_rows_beside_the_headline_of_new_patients() -> None:
    text, same = page("new-patients"), "the same without record 232"
    unspliced = kept("interpatient_unspliced")["tables"]["both leads"]
    votes = [each["votes"] for each in kept("adapt_ds2")["by seed"]["DS2"]]
    assert ds2_row("`--spliced none`, DS2", unspliced["all"]) + ds2_row(same, unspliced["without 232"]) in text
    title = "`--adapt votes`, which the recipe has now ([how](#by-the-recordings-other-beats)), DS2"
    assert ds2_row(title, votes) + ds2_row(same, [each["without 232"] for each in votes]) in text
    rivals = kept("rivals")["tasks"]["DS2"]
    for method, title in (
        ("gradient boosting", "gradient boosting, the same features and rows"),
        ("gradient boosting, no spliced patients", "... without spliced patients"),
        ("linear discriminants", "linear discriminants, the same features and rows, classes weighed alike"),
        ("logistic regression", "logistic regression, likewise"),
    ):
        rest = ds2_row("... without record 232", [rivals[method]["without 232"]])
        assert ds2_row(title, [rivals[method]]) + rest in text, method


def test_rows_of_kaggles_split() -> None:
    text = page("results")
    for method, scores in kept("rivals")["tasks"]["kaggle"].items():
        figures = [f"{100 * scores[key]:.2f}" for key in ("accuracy", "mean_sensitivity", "macro_f1")]
        start, _, inputs = method.partition(", ")
        rows = [line for line in text.splitlines() if line.startswith(f"| {start}") and inputs in line]
        assert [row.split(" | ")[1:4] for row in rows] == [figures], method


def test_groups_pairs_and_reliability_of_ds2() -> None:
    text, details = page("new-patients"), kept("ds2_details")
    of_network, of_votes = details["groups"]["none"], details["groups"]["votes"]
    for group, each in of_network.items():
        cells = [interval(each, "S F1"), interval(each, "V F1"), interval(each, "j_kappa")]
        cells.append(interval(of_votes[group], "j_kappa"))
        assert f"| {group} | {len(each['records'])} | {each['beats'][1]:,} | {' | '.join(cells)} |\n" in text, group
    for title, scores in details["paired"].items():
        other, _, method = title.rpartition(", --adapt ")
        cells = []
        for key in ("accuracy", "j_kappa", "S F1", "V F1"):
            first = scores[key][0]
            cells.append(
                f"{first['value']:+.3f} ({first['low']:+.3f} to {first['high']:+.3f}), p {first['p_holm']:.3f}"
            )
        assert f"| {other} | `{method}` | {' | '.join(cells)} |\n" in text, title
    for part, name, title in (
        ("all", "Normal", "N"),
        ("all", "Supraventricular ectopic", "S"),
        ("all", "Ventricular ectopic", "V"),
        ("without 232", "Supraventricular ectopic", "S, without 232"),
    ):
        ways = {"as it is": "as they are", "tempered": f"at temperature {details['temperature']:.2f}"}
        for way, shown in ways.items():
            steps = details["reliability"][part][way][name]
            cells = [f"{100 * each['right'] / each['beats']:.1f} of {each['beats']:,}" for each in steps]
            assert f"| {title} | {shown} | {' | '.join(cells)} |\n" in text, (part, way, name)


def interval(each: dict[str, Any], key: str) -> str:
    ends = each["intervals"][key]
    return f"{each[key]:.3f}" + (f" ({ends[0]:.2f} to {ends[1]:.2f})" if ends else "")


def test_rows_from_the_raw_signal() -> None:
    results, text = kept("raw_signal"), page("results")
    for way, title in (("detect", "detected"), ("atr", "the reference's")):
        for kind in ("gross", "average"):
            scores = results[way][kind]["scores"]
            cells = " | ".join(pair(scores, group).replace(" / ", " | ") for group in ("QRS", "VEB", "SVEB"))
            assert f"| {title}, {kind} | {cells} |\n" in text


@pytest.mark.parametrize("kind", ["recorded", "made"])
def test_rows_under_noise(kind: str) -> None:
    entries, text = kept("noise")["entries"], page("results")
    for snr in (None, 24.0, 18.0, 12.0, 6.0, 0.0):
        wanted = {"none" if snr is None else kind}
        of = {each["record"]: each for each in entries if each["snr"] == snr and {each["noise"]} == wanted}
        cells = [pair(of["118"]["scores"], group) for group in ("QRS", "VEB", "SVEB")] + [
            f"{100 * of['118']['usable']:.1f}"
        ]
        cells += [pair(of["119"]["scores"], group) for group in ("QRS", "VEB")] + [f"{100 * of['119']['usable']:.1f}"]
        title = "no noise" if snr is None else f"{kind}, {snr:g} dB"
        assert f"| {title} | {' | '.join(cells)} |\n" in text, title


def test_the_predecessors_table() -> None:
    recipe = read_recipe(str(ROOT / "recipes" / "table.yaml"))
    assert markdown(recipe, kept("table")["cells"]) in page("results")
