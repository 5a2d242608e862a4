"""loaders.sources.databases: the table of databases, their lists, and whose their records are."""

from __future__ import annotations

import pytest

from loaders.io.wfdb_record import MITDB
from loaders.names import parse_database, parse_symbols
from loaders.sources.databases import DATABASES, database_of
from loaders.sources.databases.base import Database
from toolbox.utils import UserError
from toolbox.utils.aami import BEAT_SYMBOLS, DE_CHAZAL_CLASSES


def facts(name: str) -> Database:
    database = database_of(name)
    assert database is not None
    return database


@pytest.mark.parametrize("name", DATABASES)
def test_every_database_is_whole(name: str) -> None:
    database = facts(name)
    assert database.name == name
    assert database.url == f"https://physionet.org/files/{name}/1.0.0/"
    assert database.title and database.leads and database.notes and 50 < database.fs < 1000
    assert set(database.classes) == BEAT_SYMBOLS  # every symbol of a beat has a class
    assert dict(database.classes).items() >= DE_CHAZAL_CLASSES.items()


def test_the_lists() -> None:
    mitdb, svdb = facts("mitdb").lists, facts("svdb").lists
    assert sorted((*mitdb["ds1"], *mitdb["ds2"], "102", "104", "107", "217")) == sorted(MITDB)
    assert [len(svdb[name]) for name in ("dev", "test")] == [39, 39]
    assert not set(svdb["dev"]) & set(svdb["test"])
    assert {"800", "822", "866"} <= set(svdb["dev"]) and {"807", "829", "894"} <= set(svdb["test"])


def test_only_what_is_certain_is_pinned() -> None:
    assert [name for name in DATABASES if facts(name).list_sha256] == ["mitdb"]


@pytest.mark.parametrize(
    ("database", "record", "comments", "person"),
    [
        ("mitdb", "202", [], "mitdb/201"),
        ("mitdb", "100", [], "mitdb/100"),
        ("svdb", "800", [], "svdb/800"),
        ("nstdb", "118e24", [], "mitdb/118"),
        ("nstdb", "119e_6", [], "mitdb/119"),
        ("qtdb", "sel100", [], "mitdb/100"),
        ("qtdb", "sel803", [], "svdb/803"),
        ("qtdb", "sel301", [], "stdb/301"),
        ("qtdb", "sel14046", [], "ltdb/14046"),
        ("qtdb", "sel15814", [], "ltdb/15814"),
        ("qtdb", "sel16539", [], "nsrdb/16539"),
        ("qtdb", "sel17453", [], "nsrdb/17453"),
        ("qtdb", "sel30", [], "qtdb/sel30"),
        ("qtdb", "sele0104", [], None),
        ("incartdb", "I02", [" age: 65  sex: F", " patient 1", " PVCs, noise"], "incartdb/patient 1"),
        ("incartdb", "I02", [], None),
        ("edb", "e0103", [], None),
    ],
)
def test_whose_a_record_is(database: str, record: str, comments: list[str], person: str | None) -> None:
    assert facts(database).person(record, comments) == person


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mitdb", ("mitdb", None)),
        ("svdb:dev", ("svdb", ("dev",))),
        ("my/records:p1, p2", ("my/records", ("p1", "p2"))),
        ("C:\\records", ("C:\\records", None)),
        ("C:/records:p1", ("C:/records", ("p1",))),
    ],
)
def test_the_text_of_the_flags(text: str, parts: tuple[str, tuple[str, ...] | None]) -> None:
    assert parse_database(text) == parts


@pytest.mark.parametrize("text", ["", ":dev", "svdb:", "svdb:800,,801"])
def test_texts_that_name_nothing(text: str) -> None:
    with pytest.raises(UserError, match="expected DB, DB:LIST or DB:RECORD,RECORD; DB is one of mitdb, svdb,"):
        parse_database(text)


def test_symbols() -> None:
    assert parse_symbols("S=AaJSn") == (1, "AaJSn")
    for text in ("X=a", "S=", "S"):
        with pytest.raises(UserError, match="expected a class and its symbols, as S=AaJSn; classes are N, S, V, F, Q"):
            parse_symbols(text)
