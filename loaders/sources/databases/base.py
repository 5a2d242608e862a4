"""The facts of an annotated database that no file of it tells: where it is, its record lists, whose the records are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from toolbox.utils.aami import DE_CHAZAL_CLASSES

PHYSIONET = "https://physionet.org/files/"
# The symbols of beats that MIT-BIH's map lacks, since none of its records has them: B, a bundle branch block of
# unknown side; n, a supraventricular escape beat, N here as e and j are; r, R-on-T ventricular; ?, not classified.
CLASSES = {**DE_CHAZAL_CLASSES, "B": 0, "n": 0, "r": 2, "?": 4}

Person = Callable[[str, Sequence[str]], str | None]


def own_person(database: str) -> Person:
    """The rule of a database in which each record is of another person: "svdb/800" of record 800."""
    return lambda record, comments: f"{database}/{record}"


@dataclass(frozen=True)
class Database:
    """An annotated database of PhysioNet.

    Attributes:
        name: PhysioNet's own, and that of --train-on and --test-on; also the folder below ROOT.
        title: in words.
        version: the one that is downloaded.
        fs: Hz.
        leads: in words.
        notes: on its labels, in words.
        person: record's name and its header's comments -> a key of the person, the same in all databases, such as
            "mitdb/118" for two records made of MIT-BIH's 118; None where it is not known.
        lists: names of lists of records, as "ds1" -> its records.
        list_sha256: the digest of its SHA256SUMS.txt, where it is known beforehand; None: the list that the server
            gives is taken, which proves that the transfer is sound, not whose files they are.
        classes: WFDB symbol -> class 0 to 4.
    """

    name: str
    title: str
    fs: float
    leads: str
    notes: str
    person: Person
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    version: str = "1.0.0"
    list_sha256: str | None = None
    classes: Mapping[str, int] = field(default_factory=lambda: CLASSES)

    @property
    def url(self) -> str:
        """The folder of its files."""
        return f"{PHYSIONET}{self.name}/{self.version}/"
