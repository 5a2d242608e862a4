"""What the script of a recording's page reads: beats, signals, episodes and families, packed, and values of them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.episodes import (
    ATRIAL_FIBRILLATION,
    ECTOPIC,
    FIBRILLATION,
    PACED,
    PAUSE,
    RHYTHMS,
    SHUT_DOWN,
    SILENCES,
    Episode,
)
from toolbox.holter.families import Family
from toolbox.holter.page_numbers import start_of_day
from toolbox.holter.strips import INK, MAJOR, MINOR, PAPER
from toolbox.holter.trace import MISSING, PART_SECONDS, QUANTUM, CompressedTrace
from toolbox.utils import printable
from toolbox.utils.aami import CLASS_COLOURS, CLASS_LETTERS, LETTER_SYMBOLS, LETTERS

NAMES = {letter: name.lower() for name, letter in LETTERS.items()}
UNREADABLE, READABLE = -1, 0  # subtypes of WFDB's "~", signal quality
ACCENT = "#0072b2"
SHORT = {  # where there is little room
    FIBRILLATION: "VF", ATRIAL_FIBRILLATION: "AF", PACED: "paced", PAUSE: "pause", SHUT_DOWN: "noise",
}  # fmt: skip
NOISE_LETTER = "~"  # WFDB's symbol of a change of signal quality


def pack(content: bytes) -> str:
    """Bytes as the page's script inflates them."""
    return encode(zlib.compress(content))


def pack_json(content: Any) -> str:
    """Plain values as the page's script inflates them."""
    return pack(json.dumps(content, separators=(",", ":")).encode())


def encode(content: bytes) -> str:
    """Base64."""
    return base64.b64encode(content).decode("ascii")


def pack_beats(annotated: AnnotatedRecording, family: np.ndarray) -> str:
    """The recording's own samples from each beat to the next (uint32), then a byte each: letter, confidence, whether no
    RR interval leads there, `family` (n,) uint8, WFDB symbol."""
    steps = np.diff(annotated.sample, prepend=0).astype("<u4")
    numbers = {letter: k for k, letter in enumerate(annotated.all_letters)}
    letters = np.array([numbers[letter] for letter in annotated.letters.tolist()], dtype=np.uint8)
    confidence = np.rint(255 * np.nan_to_num(annotated.confidence)).astype(np.uint8)
    symbols = np.array([ord(symbol) for symbol in annotated.symbols.tolist()], dtype=np.uint8)
    columns = (steps, letters, confidence, annotated.begins.astype(np.uint8), family, symbols)
    return pack(b"".join(column.tobytes() for column in columns))


def pack_episodes(episodes: Sequence[Episode]) -> str:
    """All episodes: [start s, stop s, first beat, title, beats or null, rate per minute or null, letter or ""]; the
    letter of noise is the symbol that it has in the annotation file."""
    rows = []
    for episode in episodes:
        letter = episode.kind.partition(" ")[0]
        beats = None if episode.kind in SILENCES else episode.beats
        rate = None if episode.rate is None else round(episode.rate, 1)
        rows.append([
            round(episode.start, 3), round(episode.stop, 3), episode.first, episode.title, beats, rate,
            letter if letter in ECTOPIC else NOISE_LETTER if episode.kind == SHUT_DOWN else "",
        ])  # fmt: skip
    return pack_json(rows)


def pack_families(families: Sequence[Family]) -> str:
    """The mean shape of each family, in units of QUANTUM."""
    return pack_json([np.rint(family.shape / QUANTUM).astype(int).tolist() for family in families])


def _edges(annotated: AnnotatedRecording) -> list[tuple[int, str, int, str]]:
    """(sample, WFDB symbol, subtype, text) of where the signal cannot be judged any more, and can again."""
    edges = [((start, UNREADABLE), (stop, READABLE)) for start, stop, _ in annotated.skipped]
    return [(sample, "~", subtype, "") for pair in edges for sample, subtype in pair]


def page_values(
    name: str, annotator: str, summary: Mapping[str, Any], annotated: AnnotatedRecording,
    traces: Mapping[str, CompressedTrace],
) -> dict[str, Any]:  # fmt: skip
    """The values that the page's script needs.

    Args:
        name: of the recording's files.
        annotator: the extension of its annotation file.
        traces: the leads to show, by name.
    """
    fastest = summary["rate_per_min"]["max"]
    return {
        "recording": name,
        "annotator": annotator,
        "fingerprint": summary.get("fingerprint", ""),
        "fs": int(annotated.fs) if annotated.fs == int(annotated.fs) else annotated.fs,
        "samples": annotated.samples,
        "seconds": annotated.trace.seconds,
        "clock": start_of_day(summary),
        "quantum": QUANTUM,
        "missing": MISSING,
        "part": PART_SECONDS,
        "leads": [
            {"name": printable(lead), "rate": trace.rate, "parts": len(trace.parts)} for lead, trace in traces.items()
        ],
        "letters": annotated.all_letters,
        "corrected": annotated.sample[annotated.is_corrected].tolist(),
        "symbols": {letter: LETTER_SYMBOLS[letter] for letter in {*annotated.all_letters, *CLASS_LETTERS}},
        "switches": [{**one, "lead": printable(one["lead"])} for one in summary.get("switches", [])],
        "edges": _edges(annotated),
        "names": NAMES,
        "colours": CLASS_COLOURS,
        "bad": annotated.marks.bad,
        "silent": [episode.first for episode in annotated.episodes if episode.kind in SILENCES],
        "lasting": [
            (round(episode.start, 3), round(episode.stop, 3), episode.title, SHORT.get(episode.kind, ""))
            for episode in annotated.episodes
            if episode.kind in (*SILENCES, *RHYTHMS)
        ],
        "unit": summary["unit"],
        "highest": 50 * (1 + int(max(fastest or 0, 120) // 50)),
        "paper": {"paper": PAPER, "minor": MINOR, "major": MAJOR, "ink": INK},
        "accent": ACCENT,
    }  # fmt: skip
