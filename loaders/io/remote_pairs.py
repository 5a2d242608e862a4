"""Records behind addresses whose annotations by two annotators are compared: found, and fetched one at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loaders.io.annotations import Pair, read_pair
from loaders.io.remote import Store, is_remote, name_of, parent_of, under
from toolbox.utils import UserError
from toolbox.utils.addresses import public_address


@dataclass(frozen=True)
class RemotePair:
    """A record with the annotations of two annotators.

    Attributes:
        address: of the record, without extension.
        test_folder: where the annotations that are scored are, an address or a path.
    """

    address: str
    test_folder: str

    @property
    def name(self) -> str:
        """The record's name."""
        return name_of(self.address)

    def read(self, reference: str, test: str) -> Pair:
        """See `read_pair`; the header and both annotation files are fetched, and no signal.

        Raises:
            UserError: a file cannot be reached or read, or none states the rate.
        """
        with tempfile.TemporaryDirectory(prefix="ecg-") as scratch:
            here, store = Path(scratch), Store(self.address)
            store.fetch(f"{self.address}.{reference}", here / f"{self.name}.{reference}")
            store.fetch_existing([f"{self.address}.hea"], here)
            test_dir = self.test_folder
            if is_remote(test_dir):
                tested = under(test_dir, f"{self.name}.{test}")
                Store(test_dir).fetch(tested, here / f"{self.name}.{test}")
                test_dir = str(here)
            try:
                return read_pair(here / self.name, reference, test, test_dir)
            except UserError as error:
                raise UserError(str(error).replace(str(here), public_address(parent_of(self.address)))) from error


def find_remote_pairs(
    arguments: Sequence[str], reference: str, test: str, test_dir: str | None, exclude: Sequence[str]
) -> tuple[list[RemotePair], list[str]]:
    """Find the records to compare among addresses, each a record (without extension) or a folder of them.

    Returns:
        The records, and the names of those in folders that are left out for want of annotations by `test`.

    Raises:
        UserError: an address cannot be reached, two records have one name, an excluded name is none of theirs, or none
            is left.
    """
    pairs: list[RemotePair] = []
    lacking: list[str] = []
    unused = set(exclude)
    for address in arguments:
        store, stem = Store(address), address.rstrip("/").removesuffix(".hea")
        single = store.is_file(f"{stem}.{reference}")
        folder = parent_of(stem) if single else stem
        names = [name_of(stem)] if single else _stems(store, folder, reference)
        where = test_dir or folder
        tested = {name_of(stem)} if single else _tested(where, test)
        unused -= set(names)
        for name in (name for name in names if name not in exclude):
            if name in tested:
                pairs.append(RemotePair(under(folder, name), where))
            else:
                lacking.append(name)
    names = [pair.name for pair in pairs]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"record {repeated[0]} is given twice; each can be scored once")
    if unused:
        raise UserError(f"--exclude {' '.join(sorted(unused))}: no such record among those given")
    if not pairs:
        shown = ", ".join(map(public_address, arguments))
        raise UserError(f"no annotations NAME.{test} for the records of {shown} (NAME.{reference})")
    return pairs, lacking


def _stems(store: Store, folder: str, extension: str) -> list[str]:
    """The names of the files in a folder, not below it, that have an extension, without it."""
    names = [name for name in store.files(folder) if "/" not in name and not name.startswith(".")]
    return [name.removesuffix(f".{extension}") for name in names if name.endswith(f".{extension}")]


def _tested(folder: str, extension: str) -> set[str]:
    if is_remote(folder):
        return set(_stems(Store(folder), folder, extension))
    return {path.name.removesuffix(f".{extension}") for path in Path(folder).glob(f"*.{extension}")}
