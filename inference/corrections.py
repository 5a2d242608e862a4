"""Corrections of beats by a person: lists of changes, as a recording's page saves them, read and applied.

A list is JSON: {"format": 1, "recording": "100", "fs": 360, "samples": 650000, "annotator": "ecg", "changes": [
{"action": "name", "sample": 12345, "from": "N", "to": "V"}, {"action": "delete", "sample": 12700, "from": "N"},
{"action": "insert", "sample": 13050, "to": "S"}]}. Samples are the recording's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from loaders.beats.segmenter import LONGEST_RR
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.utils import UserError, note, printable, read_json, sha256_of
from toolbox.utils.aami import LETTERS

FORMAT = 1
ENDING = ".corrections.json"  # of a list in a folder: NAME.corrections.json belongs to recording NAME
REACH = 0.05  # s that a change may lie off the beat that it is about
ACTIONS = {"name": "named", "delete": "deleted", "insert": "inserted"}


@dataclass(frozen=True)
class Change:
    """A beat that was named, deleted or inserted by a person.

    Attributes:
        action: one of ACTIONS.
        sample: of the beat, in the recording's own samples.
        to: the letter of its class; "" where it is deleted.
    """

    action: str
    sample: int
    to: str

    def __str__(self) -> str:
        return f"{self.action} {self.to + ' ' if self.to else ''}at sample {self.sample}"


@dataclass(frozen=True)
class Corrections:
    """A list of changes of one recording.

    Attributes:
        file: it was read from; digest: its SHA-256.
        recording: the name of the recording, without extension; fs: samples per second; samples: its length.
        changes: in the order of the file.
    """

    file: Path
    digest: str
    recording: str
    fs: float
    samples: int
    changes: tuple[Change, ...]


def read_corrections(file: Path) -> Corrections:
    """Read a list of changes.

    Raises:
        UserError: the file is missing or no list of changes, or one of its changes makes no sense.
    """
    content = read_json(file)
    if not isinstance(content, dict) or not isinstance(content.get("changes"), list):
        raise UserError(f'{file} is no list of corrections: expected JSON with "changes", as a recording\'s page saves')
    if content.get("format") != FORMAT:
        raise UserError(f"{file}: corrections of format {content.get('format')!r}, expected {FORMAT}")
    kinds: Mapping[str, tuple[type, ...]] = {"recording": (str,), "fs": (int, float), "samples": (int,)}
    for name, types in kinds.items():
        if type(content.get(name)) not in types:
            raise UserError(
                f"{file}: {name} is {content.get(name)!r}, expected {' or '.join(t.__name__ for t in types)}"
            )
    changes = tuple(_change(file, entry, content["samples"]) for entry in content["changes"])
    return Corrections(file, sha256_of(file), content["recording"], float(content["fs"]), content["samples"], changes)


def _change(file: Path, entry: Any, samples: int) -> Change:
    """A change of a list; UserError where it makes no sense."""
    values = entry if isinstance(entry, dict) else {}
    action, sample = values.get("action"), values.get("sample")
    to = "" if action == "delete" else values.get("to")
    if action not in ACTIONS or type(sample) is not int or not 0 <= sample < samples:
        raise UserError(
            f"{file}: change {entry!r}: expected an action ({', '.join(ACTIONS)}) and a sample from 0 to {samples - 1}"
        )
    if not isinstance(to, str) or to not in ("", *LETTERS.values()) or bool(to) == (action == "delete"):
        raise UserError(f'{file}: change {entry!r}: expected a class, "to": {", ".join(LETTERS.values())}')
    return Change(action, sample, to)


def find_corrections(arguments: Sequence[str], recordings: Sequence[str]) -> dict[str, tuple[Corrections, ...]]:
    """Read the lists that --corrections names: recording -> its lists, in the order given.

    Args:
        arguments: files, and folders of files NAME.corrections.json.
        recordings: the names of the recordings that are to be annotated.

    Raises:
        UserError: a list cannot be read, or is a file that belongs to none of the recordings.
    """
    lists: dict[str, tuple[Corrections, ...]] = {}
    others: list[Path] = []
    for argument in map(Path, arguments):
        in_folder = argument.is_dir()
        for file in sorted(argument.rglob(f"*{ENDING}")) if in_folder else [argument]:
            one = read_corrections(file)
            if one.recording in recordings:
                lists[one.recording] = (*lists.get(one.recording, ()), one)
            elif in_folder:
                others.append(file)
            else:
                raise UserError(
                    f"{file}: corrections of recording {one.recording}, which is not among those to annotate"
                )
        if in_folder and not any(argument.rglob(f"*{ENDING}")):
            raise UserError(f"no corrections NAME{ENDING} in folder {argument}")
    if others:
        note(f"corrections of other recordings are left out: {printable(', '.join(map(str, others)))}")
    return lists


def describe_corrections(lists: Sequence[Corrections], beats: AnnotatedRecording) -> dict[str, Any]:
    """The lists that were applied, how many beats each action concerned, and which beats a person named or inserted."""
    actions = [change.action for one in lists for change in one.changes]
    return {
        "files": [one.file.name for one in lists],
        **{word: actions.count(action) for action, word in ACTIONS.items()},
        "corrected": beats.sample[beats.is_corrected].tolist(),
    }


def correction_text(summary: Mapping[str, Any]) -> str:
    """The corrections of a summary in a line for people; "" without any."""
    corrections = summary.get("corrections")
    if not corrections:
        return ""
    counts = ", ".join(f"{corrections[word]} {word}" for word in ACTIONS.values() if corrections[word])
    return f"{counts or 'none'} by a person ({', '.join(corrections['files'])})"


def apply_corrections(beats: AnnotatedRecording, corrections: Corrections) -> AnnotatedRecording:
    """The beats with a person's changes: named beats keep their probabilities, inserted ones have none (NaN).

    A beat that is inserted takes the place of one within REACH.

    Raises:
        UserError: the list is of a recording of another rate or length, or a change fits none of its beats.
    """
    file = corrections.file
    if abs(corrections.fs - beats.fs) > 1e-6 * beats.fs or corrections.samples != beats.samples:
        raise UserError(
            f"{file}: corrections of {corrections.samples} samples at {corrections.fs:g} Hz, recording "
            f"{corrections.recording} has {beats.samples} at {beats.fs:g} Hz"
        )
    named = np.full(len(beats.sample), "", "<U1") if beats.named is None else beats.named.copy()
    kept = np.ones(len(beats.sample), bool)
    changed = np.zeros(len(beats.sample), bool)
    for change in corrections.changes:
        if change.action == "insert":
            continue
        k = _nearest(beats.sample, change.sample)
        if k is None or abs(int(beats.sample[k]) - change.sample) > REACH * beats.fs:
            raise UserError(f"{file}: {change}: no beat within {1000 * REACH:g} ms")
        if changed[k]:
            raise UserError(f"{file}: {change}: the beat at sample {beats.sample[k]} is changed twice")
        changed[k] = True
        named[k], kept[k] = change.to, change.action != "delete"
    inserted = sorted((c for c in corrections.changes if c.action == "insert"), key=lambda change: change.sample)
    for change, later in pairwise(inserted):
        if later.sample - change.sample <= REACH * beats.fs:
            raise UserError(f"{file}: {later}: another is inserted at sample {change.sample}")
    for change in inserted:
        k = _nearest(beats.sample, change.sample)
        if k is None or abs(int(beats.sample[k]) - change.sample) > REACH * beats.fs or not kept[k]:
            continue
        if changed[k]:
            raise UserError(f"{file}: {change}: the beat at sample {beats.sample[k]} is changed, too")
        kept[k] = False  # a beat that the person saw nothing of, as in flutter, or that another network finds
    return _with_beats(beats, kept, named, inserted)


def _nearest(sample: np.ndarray, at: int) -> int | None:
    """The number of the beat nearest to `at`; None where there is no beat."""
    return int(np.abs(sample - at).argmin()) if len(sample) else None


def _with_beats(
    beats: AnnotatedRecording, kept: np.ndarray, named: np.ndarray, inserted: Sequence[Change]
) -> AnnotatedRecording:
    """The beats that are kept, with these letters of a person ("" for none), and the inserted ones."""
    count, classes = len(inserted), len(beats.class_names)
    sample = np.concatenate([beats.sample[kept], np.array([change.sample for change in inserted], dtype=np.int64)])
    order = np.argsort(sample, kind="stable")
    unknown = np.full((count, classes), np.nan, beats.probabilities.dtype)
    return replace(
        beats,
        sample=sample[order],
        begins=_begins(beats, kept, sample[order]),
        probabilities=np.concatenate([beats.probabilities[kept], unknown])[order],
        named=np.concatenate([named[kept], np.array([change.to for change in inserted], "<U1")])[order],
    )


def _begins(beats: AnnotatedRecording, kept: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """(n,) whether no RR interval leads to each beat at `sample`.

    A beat that follows the one that it followed before is as it was. To others none leads over a skipped interval, over
    more than LONGEST_RR, or where none led to a beat that was deleted.
    """
    cut = np.diff(sample, prepend=-np.inf) > LONGEST_RR * beats.fs
    for start, stop, _ in beats.skipped:
        cut[np.searchsorted(sample, start, "right") : np.searchsorted(sample, stop) + 1] = True
    first_of_stretch = beats.sample[beats.begins & ~kept]
    cut[[k for k in np.searchsorted(sample, first_of_stretch).tolist() if k < len(sample)]] = True
    place = np.searchsorted(beats.sample, sample)
    there = np.append(beats.sample, -1)[place] == sample
    as_before = there & np.append(False, there[:-1] & (place[1:] == place[:-1] + 1))
    return np.where(as_before, np.append(beats.begins, False)[place], cut)
