"""Annotate one recording of a corpus: fetch it where it is elsewhere, write its files wherever they are to go.

It is the same work as of a recording at hand, in temporary folders: what is at its place elsewhere is fetched first, so
that the same checks keep what somebody corrected, and put back when it is done.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inference.classifier import Classifier
from inference.files import AnnotateOptions, annotate_file, request_fingerprint
from inference.outputs import Outputs, sealed
from loaders.io.discovery import Item
from loaders.io.remote import Store, is_remote, parent_of, under
from loaders.io.remote_recordings import RemoteItem, fetch_recording
from toolbox.utils import UserError, os_error_text, read_json, sha256_of
from toolbox.utils.addresses import public_address

# Of a summary, what a line at the terminal and the table of recordings' bookkeeping take.
REPORTED = (
    "recording", "path", "page", "leads", "leads_read", "model", "beats", "rate_per_min", "burden", "rhythms",
    "without_beats", "warnings", "done_before", "fingerprint", "seconds", "corrections",
)  # fmt: skip


@dataclass(frozen=True)
class CorpusItem:
    """A recording of a corpus.

    Attributes:
        source: at hand or elsewhere.
        folder: where its files go: a path or an address.
        id: its name among all: its folder and its name below the folder of the tables, "night/100".
    """

    source: Item | RemoteItem
    folder: str
    id: str

    @property
    def path(self) -> str:
        """The path or the address of the recording, without secrets."""
        return public_address(self.source.address) if isinstance(self.source, RemoteItem) else str(self.source.path)


@dataclass(frozen=True)
class CorpusWork:
    """The annotation of each recording of a corpus, sent to the processes that work on them.

    Attributes:
        classifier, single, options: see `annotate_file`; the options' `out` is each item's folder.
    """

    classifier: Classifier
    single: Classifier | None
    options: AnnotateOptions

    def __call__(self, item: CorpusItem) -> dict[str, Any]:
        """Annotate a recording and write its files, unless they are there already.

        Returns:
            REPORTED of its summary, and "id".

        Raises:
            UserError: it cannot be reached or read, or its files cannot be written or are another's.
        """
        if isinstance(item.source, Item) and not is_remote(item.folder):
            options = replace(self.options, out=Path(item.folder))
            summary = annotate_file(Item(item.source.path), self.classifier, options, single=self.single)
        else:
            with tempfile.TemporaryDirectory(prefix="ecg-") as scratch:
                summary = self._by_copies(item, Path(scratch))
        return {"id": item.id} | {key: summary[key] for key in REPORTED if key in summary}

    def _by_copies(self, item: CorpusItem, scratch: Path) -> dict[str, Any]:
        """Annotate a recording by copies, of its files or of those that are written, or of both."""
        here, written = scratch / "in", scratch / "out"
        here.mkdir()
        out = item.folder
        name, annotator = item.source.name, self.options.annotator
        if (before := self._finished(item)) is not None:
            return before
        source, facts = item.source, dict[str, Any]()
        if isinstance(source, RemoteItem):
            peaks = [self.options.peaks] if self.options.peaks != "detect" else []
            path, marks = fetch_recording(source, here, peaks)
            facts = {"path": item.path, "source": {"files": marks, "request": self._request(name)}}
            source = Item(path)
        if is_remote(out):
            written.mkdir()
            Store(out).fetch_existing([under(out, file.name) for file in _files(written, name, annotator)], written)
        else:
            written = Path(out)
        there = _digests(written, name, annotator) if is_remote(out) else {}
        options = replace(self.options, out=written)
        try:
            summary = annotate_file(Item(source.path), self.classifier, options, single=self.single, facts=facts)
        except OSError as error:
            raise UserError(self._placed(os_error_text(error), item, here, written)) from error
        except UserError as error:
            raise UserError(self._placed(str(error), item, here, written)) from error
        if is_remote(out):
            if not summary.get("done_before"):
                put_outputs(Outputs(written / f"{name}.{annotator}"), out, there)
            summary["page"] = public_address(under(out, Path(summary["page"]).name))
        return summary

    def _request(self, name: str) -> str:
        """SHA-256 of all that a recording's files depend on but its bytes."""
        corrections = self.options.corrections.get(name, ())
        return request_fingerprint([], self.classifier, self.options, corrections, self.single)

    def _finished(self, item: CorpusItem) -> dict[str, Any] | None:
        """The summary of a recording from elsewhere whose files are finished, and which has not changed there since;
        without fetching it. None where that is not known."""
        if not isinstance(item.source, RemoteItem):
            return None
        out, target = item.folder, f"{item.source.name}.{self.options.annotator}"
        try:
            if is_remote(out):
                store = Store(out)
                summary = json.loads(store.read(under(out, f"{target}.json")))
                there = all(store.is_file(under(out, str(name))) for name in summary["outputs"])
            else:
                outputs = Outputs(Path(out) / target)
                summary = outputs.check_own(self.options.png) or {}
                there = outputs.are_complete(summary)
            files = summary["source"]["files"]
            if not there or summary["source"]["request"] != self._request(item.source.name):
                return None
            source, parent = Store(item.source.address), parent_of(item.source.address)
            if any(source.mark(under(parent, name)) != mark for name, mark in files.items()):
                return None
        except (UserError, ValueError, KeyError, TypeError, AttributeError):
            return None  # the whole work says what is wrong
        page = under(out, f"{target}.html")
        return {**summary, "page": public_address(page), "done_before": True}

    @staticmethod
    def _placed(message: str, item: CorpusItem, here: Path, written: Path) -> str:
        """A message on copies as one on the files that they are copies of."""
        if isinstance(item.source, RemoteItem):
            message = message.replace(str(here), public_address(parent_of(item.source.address)))
        return message.replace(str(written), public_address(item.folder))


def _files(folder: Path, name: str, annotator: str) -> list[Path]:
    return Outputs(folder / f"{name}.{annotator}").files


def _digests(folder: Path, name: str, annotator: str) -> Mapping[str, str]:
    return {file.name: sha256_of(file) for file in _files(folder, name, annotator) if file.is_file()}


def put_outputs(outputs: Outputs, folder: str, before: Mapping[str, str]) -> None:
    """Copy finished files to their place elsewhere, the summary first as begun and last as it is.

    Whenever it is cut off, the summary that is there knows the files that are there.

    Args:
        folder: the address of the folder.
        before: SHA-256 of the files that were there, by name.
    """
    store, summary = Store(folder), read_json(outputs.file("json"))
    name = outputs.file("json").name
    digests = {key: value for key, value in summary["sha256"].items() if key != name}
    begun = {"fingerprint": summary["fingerprint"], "outputs": None, "before": dict(before), "sha256": digests}
    with tempfile.TemporaryDirectory(prefix="ecg-") as scratch:
        note = Path(scratch) / name
        note.write_text(json.dumps(sealed(begun, name)), encoding="utf-8")
        store.put(note, under(folder, name))
    for each in summary["outputs"]:
        store.put(outputs.target.with_name(each), under(folder, each))
    store.put(outputs.file("json"), under(folder, name))
