"""Beats that a network called wrong: which are shown, their file, and their drawing with the reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from toolbox.reports.line_charts import pen
from toolbox.utils import write_json
from toolbox.utils.aami import LETTERS
from toolbox.utils.validation import read_json_of_shape

EACH = 24  # beats of either kind
SEED = 0  # of those drawn at random
SPEED, GAIN = 25.0, 10.0  # mm per s, mm per mV: ECG paper's
LOWEST, HIGHEST = 15.0, 60.0  # mm, of a strip
ROW_HEIGHT, ROW_SPEED = 18.0, 50.0  # mm and mm per s, of a row without a unit, scaled to [0, 1]
LETTERS_ROOM = 5.0  # mm above the strip
SCALE_ROOM = 8.0  # mm beside it
NUMBER = (int, float, type(None))
FILE = {
    "epoch": int,
    "wrong": int,
    "rows": int,
    "reason?": str,
    "method?": str,
    "examples": [
        {
            "kind": str, "id": int, "record": str, "time?": NUMBER, "true": str, "called": str,
            "probability": float, "probability_true": float, "strip?": (dict, type(None)), "why?": (dict, type(None)),
        }
    ],
}  # fmt: skip


def choose(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers of the beats to show: "surest", those called wrong with the highest probability, and "random", some of
    the other wrong ones, in order of their number; the same beats give the same choice.

    Args:
        probabilities: (n, C).
        labels: (n,).
    """
    called = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(called != labels)
    order = wrong[np.argsort(-probabilities[wrong, called[wrong]], kind="stable")]
    surest, rest = order[:EACH], np.sort(order[EACH:])
    drawn = np.random.default_rng(SEED).permutation(len(rest))[:EACH]
    return {"surest": surest, "random": np.sort(rest[drawn])}


def examples_path(folder: Path, part: str, epoch: int) -> Path:
    """The file of a part's examples: pred/test_wrong_epN.json, or res/val_wrong_epN.json."""
    return folder / ("pred" if part == "test" else "res") / f"{part}_wrong_ep{epoch}.json"


def write_examples(path: Path, content: Mapping[str, Any]) -> None:
    """Write the examples, see FILE."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content, indent=None)


def read_examples(path: Path) -> dict[str, Any] | None:
    """The examples in a file; None where there is none, or where it cannot be read, with a warning."""
    return read_json_of_shape(path, FILE) if path.is_file() else None


def strip(example: Mapping[str, Any]) -> str:
    """The signal around a beat as SVG in mm: 25 mm/s and 10 mm/mV on ECG paper; without a unit its height is free."""
    signal = example["strip"]
    rate, step = signal["rate"], signal["step"]  # samples per s; mV, or the row's unit, per unit stored
    values = np.array([np.nan if value is None else value * step for value in signal["values"]], dtype=float)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if signal["unit"]:
        gain, middle = GAIN, (low + high) / 2
        height = min(HIGHEST, max(LOWEST, 5 * np.ceil(((high - low) * GAIN + 3) / 5)))
    else:
        height, middle = ROW_HEIGHT, (low + high) / 2
        gain = (ROW_HEIGHT - 3) / ((high - low) or 1.0)
    speed = SPEED if signal["unit"] else ROW_SPEED
    x = np.arange(len(values)) / rate * speed
    y = np.clip(LETTERS_ROOM + height / 2 - (values - middle) * gain, LETTERS_ROOM, LETTERS_ROOM + height)
    width, total = len(values) / rate * speed, height + LETTERS_ROOM
    here = -signal["start"] * speed
    parts = [f'<rect y="{LETTERS_ROOM:g}" width="{width:.1f}" height="{height:g}" fill="url(#paper)"/>']
    parts += _bands(example.get("why"), here, height, width, speed)
    parts.append(f'<path class="trace" d="{pen(x, y)}"/>')
    if signal["unit"]:  # 1 mV and 0.2 s, so that any other size shows itself
        pulse = f"M{width + 1.5:.1f} {total - 2:g}v{-GAIN:g}h{0.2 * SPEED:g}v{GAIN:g}"
        parts.append(f'<path class="scale" d="{pulse}"/>')
    parts.append(f'<path class="here" d="M{here:.1f} {LETTERS_ROOM:g}V{total:g}"/>')
    for offset, name in signal.get("beats", ()):
        letter = LETTERS.get(name, name)
        at = here + offset * speed
        if 1 < at < width - 1:
            parts.append(f'<text class="c{letter}" x="{at:.1f}" y="3.8">{escape(letter)}</text>')
    whole = width + (SCALE_ROOM if signal["unit"] else 0.0)
    label = f"{example['true']}, called {example['called']}"
    return (
        f'<svg class="strip" viewBox="0 0 {whole:.1f} {total:g}" style="width:{whole:.1f}mm" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _bands(why: Mapping[str, Any] | None, here: float, height: float, width: float, speed: float) -> list[str]:
    """The waves that counted as bands over the strip, the darker the more; hatched where they spoke against."""
    parts = []
    strongest = max((abs(part["value"]) for part in (why or {}).get("parts", ())), default=0.0)
    for part in (why or {}).get("parts", ()):
        if part.get("from") is None or not strongest:
            continue
        left, right = max(0.0, here + part["from"] * speed), min(width, here + part["to"] * speed)
        kind = "for" if part["value"] > 0 else "against"
        if right > left:
            parts.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{LETTERS_ROOM:g}" width="{right - left:.1f}" '
                f'height="{height:g}" opacity="{0.08 + 0.3 * abs(part["value"]) / strongest:.2f}"/>'
            )
    return parts


def shown(examples: Sequence[Mapping[str, Any]], links: Mapping[str, str]) -> list[dict[str, Any]]:
    """The examples for the template.

    Args:
        links: record -> address of its annotated page, of those that there are.
    """
    return [_card(example, links) for example in examples]


def _card(example: Mapping[str, Any], links: Mapping[str, str]) -> dict[str, Any]:
    """One example for the template."""
    time, record = example.get("time"), example["record"]
    place = record or f"row {example['id']:,}"
    if time is not None:
        place += f", {clock(time)}"
    why = example.get("why")
    parts = [
        {"name": part["name"], "value": part["value"], "text": f"{part['value']:+.2f}"}
        for part in (why or {}).get("parts", ())
    ]
    strongest = max((abs(part["value"]) for part in parts), default=0.0) or 1.0
    for part in parts:
        part["across"] = part["value"] / strongest
    link = links.get(record)
    return {
        "kind": example["kind"],
        "place": place,
        "record": record,
        "link": f"{link}#t={time:.2f}" if link and time is not None else "",
        "true": LETTERS.get(example["true"], example["true"]),
        "called": LETTERS.get(example["called"], example["called"]),
        "probability": f"{100 * example['probability']:.2f}",
        "probability_true": f"{100 * example['probability_true']:.2f}",
        "svg": strip(example) if example.get("strip") else "",
        "lead": (example.get("strip") or {}).get("lead", ""),
        "parts": parts,
        "columns": [(name, f"{value:+.2f}", f"{share:+.2f}") for name, value, share in (why or {}).get("columns", ())],
    }


def clock(seconds: float) -> str:
    """A time in a record as m:ss.ss, h:mm:ss.ss from an hour on."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"
