"""loaders.sources.google_drive: the real gdown against a local server, and damaged archives."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gdown
import pytest

from loaders.sources import google_drive as gdd
from tests.server import CERTIFICATE, Fault, FaultyServer, ctrl_c, serve
from toolbox.utils import UserError

QUICK: dict[str, Any] = {"timeout": 10, "backoff": 0.01, "progress": False}
TRAIN, TEST = "mitbih_train.csv", "mitbih_test.csv"
NOISE = random.Random(0).randbytes(900_000)  # does not shrink: the archive is longer than gdown's blocks of 512 KiB
MEMBERS = {f"ecg_data/{TRAIN}": b"train " + NOISE, f"ecg_data/{TEST}": b"test " + NOISE}


def pack(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def packed() -> bytes:
    return pack(MEMBERS)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, packed: bytes) -> Iterator[FaultyServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # most of the time these tests take, on a busy disk
    with serve({"ecg.zip": packed}) as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with older files in it, which nothing that fails may touch."""
    made = tmp_path / "ecg"
    made.mkdir()
    (made / TRAIN).write_bytes(b"old train")
    return made


def untouched(folder: Path) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {TRAIN: b"old train"}


def fetch_error(url: str, folder: Path, **flags: Any) -> str:
    """The message of a download that must fail, in one line and with nothing changed or left in the folder."""
    with pytest.raises(UserError) as caught:
        gdd.download(folder, url, **(QUICK | flags))
    message = str(caught.value)
    assert url in message
    assert "\n" not in message
    assert f"put {TRAIN} and {TEST} into {folder}, name another address, or take PhysioNet's records" in message
    assert untouched(folder)
    return message


def unpack_error(archive: Path, folder: Path, content: bytes | None = None) -> str:
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(UserError) as caught:
        gdd.unpack(archive, folder)
    assert "\n" not in str(caught.value)
    assert untouched(folder)
    return str(caught.value)


# Unpacking


def test_both_files_are_unpacked_under_their_names(archive: Path, tmp_path: Path, packed: bytes) -> None:
    archive.write_bytes(packed)
    train, test = gdd.unpack(archive, tmp_path / "new" / "ecg")
    assert (train, test) == (tmp_path / "new" / "ecg" / TRAIN, tmp_path / "new" / "ecg" / TEST)
    assert train.read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]
    assert test.read_bytes() == MEMBERS[f"ecg_data/{TEST}"]
    assert sorted(os.listdir(train.parent)) == [TEST, TRAIN]  # noqa: PTH208


@pytest.mark.parametrize("prefix", ["", "ecg_data/", "../../", "/tmp/", "a/../../../", "..\\..\\", "C:\\data\\"])
def test_no_path_in_the_archive_counts(archive: Path, tmp_path: Path, prefix: str) -> None:
    archive.write_bytes(pack({prefix + TRAIN: b"1", prefix + TEST: b"2", "../escaped.txt": b"3", "__MACOSX/._x": b"4"}))
    train, test = gdd.unpack(archive, tmp_path / "ecg")
    assert (train.read_bytes(), test.read_bytes()) == (b"1", b"2")
    assert {path.name for path in tmp_path.rglob("*")} == {"archive.zip", "ecg", TRAIN, TEST}


def test_older_files_are_replaced_even_where_they_are_links(archive: Path, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "elsewhere.csv").write_bytes(b"keep me")
    (folder / TEST).symlink_to(tmp_path / "elsewhere.csv")
    archive.write_bytes(pack({TRAIN: b"1", TEST: b"2"}))
    train, test = gdd.unpack(archive, folder)
    assert (train.read_bytes(), test.read_bytes()) == (b"1", b"2")
    assert not test.is_symlink()
    assert (tmp_path / "elsewhere.csv").read_bytes() == b"keep me"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({TRAIN: b"1"}, rf"archive.zip should hold one {TEST} and holds 0; what is in it: '{TRAIN}'"),
        ({"readme.txt": b"1"}, f"archive.zip should hold one {TRAIN} and holds 0; what is in it: 'readme.txt'"),
        ({}, f"archive.zip should hold one {TRAIN} and holds 0; what is in it: nothing"),
        ({TRAIN: b"1", TEST: b"2", f"old/{TEST}": b"3"}, f"archive.zip should hold one {TEST} and holds 2"),
        ({f"my_{TRAIN}": b"1", TEST: b"2"}, f"archive.zip should hold one {TRAIN} and holds 0"),
        ({f"{TRAIN}/": b"", TEST: b"2"}, f"archive.zip should hold one {TRAIN} and holds 0"),
    ],
)
def test_both_members_must_be_there_once(archive: Path, folder: Path, members: dict[str, bytes], message: str) -> None:
    assert unpack_error(archive, folder, pack(members)).startswith(message)


def test_a_bomb_is_refused_by_its_declared_sizes(archive: Path, folder: Path) -> None:
    message = unpack_error(archive, folder, pack({TRAIN: bytes(20 << 20), TEST: b"2"}))
    assert message.startswith(f"{TRAIN} in archive.zip claims to unpack from 20")
    assert message.endswith("to 20971520 bytes, more than 100-fold: a zip bomb")


def test_a_member_larger_than_any_csv(archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdd, "LARGEST_MEMBER", 1000)
    message = unpack_error(archive, folder, pack({TRAIN: NOISE[:1000], TEST: NOISE[:1001]}))
    assert message == f"{TEST} in archive.zip claims 1001 bytes, at most 1000 are allowed"


@pytest.mark.parametrize("claim", [1, 10, 5000, 500_000, 1_000_000])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_declared_size_that_lies(archive: Path, folder: Path, claim: int, method: int) -> None:
    body = bytes(500_001)  # some 500 bytes deflated
    content = bytearray(pack({TRAIN: body, TEST: b"2"}, method))
    header = content.index(b"PK\x01\x02")  # the central directory's entry of the first member
    assert struct.unpack_from("<I", content, header + 24) == (len(body),)
    struct.pack_into("<I", content, header + 24, claim)
    assert unpack_error(archive, folder, bytes(content)).startswith("archive.zip is a damaged zip archive: ")


@pytest.mark.parametrize("name", MEMBERS)
def test_a_byte_that_changed(archive: Path, folder: Path, packed: bytes, name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        middle = opened.getinfo(name).header_offset + 500_000
    runs_without_config = packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :]
    assert unpack_error(archive, folder, runs_without_config).startswith("archive.zip is a damaged zip archive: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "archive.zip is no whole zip archive but an empty file"),
        (b"label\n0\n", r"archive.zip is no whole zip archive but 8 bytes that begin with b'label\n0\n'"),
        (
            b"\n<!DOCTYPE html><html><head><title>Google Drive -\n Quota exceeded</title>",
            "archive.zip is no whole zip archive but an HTML page of 73 bytes, 'Google Drive - Quota exceeded'",
        ),
        (b"<html>no", "archive.zip is no whole zip archive but an HTML page of 8 bytes, '<html>no'"),
    ],
)
def test_what_is_no_zip_archive_is_described(archive: Path, folder: Path, content: bytes, message: str) -> None:
    assert unpack_error(archive, folder, content) == message


def test_a_cut_archive(archive: Path, folder: Path, packed: bytes) -> None:
    message = unpack_error(archive, folder, packed[:-100])
    assert message.startswith(f"archive.zip is no whole zip archive but {len(packed) - 100} bytes that begin with b'PK")


def test_members_that_are_links_encrypted_or_oddly_packed(archive: Path, folder: Path) -> None:
    link = zipfile.ZipInfo(TRAIN)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(link, "/etc/passwd")
        opened.writestr(TEST, "2")
    assert unpack_error(archive, folder) == f"{TRAIN} in archive.zip is a link, not a file"
    content = bytearray(pack({TRAIN: b"1", TEST: b"2"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert unpack_error(archive, folder, bytes(content)) == f"{TRAIN} in archive.zip is encrypted"
    lzma = pack({TRAIN: b"1", TEST: b"2"}, zipfile.ZIP_LZMA)
    assert unpack_error(archive, folder, lzma) == f"{TRAIN} in archive.zip is packed by method 14, expected deflate"


def test_an_archive_that_is_not_there(archive: Path, folder: Path) -> None:
    assert "No such file" in unpack_error(archive, folder)


# Downloading


def test_the_archive_comes_and_goes(server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data" / "ecg"
    train, test = gdd.download(folder, f"{server.url}ecg.zip", timeout=5)
    assert train.read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]
    assert test.read_bytes() == MEMBERS[f"ecg_data/{TEST}"]
    assert {path.name for path in folder.iterdir()} == {TRAIN, TEST}
    size = len(server.files["ecg.zip"])
    assert capsys.readouterr() == ("", f"note: {size} bytes from {server.url}ecg.zip, unpacking them to {folder}\n")


def test_files_that_are_there_are_not_fetched_again(server: FaultyServer, folder: Path) -> None:
    (folder / TEST).write_bytes(b"old test")
    assert gdd.download(folder, f"{server.url}ecg.zip", **QUICK) == (folder / TRAIN, folder / TEST)
    assert server.log == []
    assert (folder / TRAIN).read_bytes() == b"old train"


def test_one_file_alone_is_replaced_with_its_fellow(server: FaultyServer, folder: Path) -> None:
    gdd.download(folder, f"{server.url}ecg.zip", **QUICK)
    assert (folder / TRAIN).read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]
    assert (folder / TEST).read_bytes() == MEMBERS[f"ecg_data/{TEST}"]


def test_a_cut_body_is_resumed(server: FaultyServer, tmp_path: Path) -> None:
    server.once["ecg.zip"] = [Fault(cut=1_000_000)]
    train, _ = gdd.download(tmp_path, f"{server.url}ecg.zip", **QUICK)
    last = server.log[-1]
    assert last.range is not None
    start = int(last.range.removeprefix("bytes=").removesuffix("-"))
    assert start > 0
    assert (last.status, last.sent) == (206, len(server.files["ecg.zip"]) - start)
    assert train.read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]


@pytest.mark.parametrize("fault", [Fault(ignore_range=True), Fault(shift=3)])
def test_a_server_that_mistakes_ranges(server: FaultyServer, tmp_path: Path, fault: Fault) -> None:
    server.once["ecg.zip"] = [Fault(cut=1_000_000)]
    server.always["ecg.zip"] = fault
    _, test = gdd.download(tmp_path, f"{server.url}ecg.zip", **QUICK)
    assert test.read_bytes() == MEMBERS[f"ecg_data/{TEST}"]


def test_a_body_that_is_always_cut(server: FaultyServer, folder: Path) -> None:
    server.always["ecg.zip"] = Fault(cut=600_000, ignore_range=True)
    message = fetch_error(f"{server.url}ecg.zip", folder)
    assert "Download is incomplete" in message or "did not honor" in message
    assert "(attempt 4 of 4)" in message


@pytest.mark.parametrize("fault", [Fault(stall=True), Fault(stall=True, cut=1000)])
def test_a_server_that_stalls(server: FaultyServer, folder: Path, fault: Fault) -> None:
    server.always["ecg.zip"] = fault
    started = time.monotonic()
    message = fetch_error(f"{server.url}ecg.zip", folder, attempts=2, timeout=0.4)
    assert "timed out" in message
    assert "(attempt 2 of 2)" in message
    assert time.monotonic() - started < 5


def test_a_trickle_ends_too(server: FaultyServer, folder: Path) -> None:
    server.always["ecg.zip"] = Fault(trickle=0.05)
    started = time.monotonic()
    message = fetch_error(f"{server.url}ecg.zip", folder, limit=0.5)
    assert "ecg.zip: not done after 0.5 s; put" in message
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [401, 404])
def test_what_will_not_get_better_is_not_tried_again(server: FaultyServer, folder: Path, status: int) -> None:
    server.always["ecg.zip"] = Fault(status=status)
    assert f": {status} Client Error" in fetch_error(f"{server.url}ecg.zip", folder)
    assert len(server.log) == 1


def test_an_error_500_is_got_over(server: FaultyServer, tmp_path: Path) -> None:
    server.once["ecg.zip"] = [Fault(status=500), Fault(status=503), Fault(status=429)]
    train, _ = gdd.download(tmp_path, f"{server.url}ecg.zip", **QUICK)
    assert [request.status for request in server.log] == [500, 503, 429, 200]
    assert train.read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]


def test_an_error_500_that_stays(server: FaultyServer, folder: Path) -> None:
    server.always["ecg.zip"] = Fault(status=500)
    message = fetch_error(f"{server.url}ecg.zip", folder, attempts=3)
    assert ": 500 Server Error" in message
    assert "(attempt 3 of 3)" in message
    assert len(server.log) == 3


def test_a_page_in_place_of_the_archive_is_removed(server: FaultyServer, folder: Path) -> None:
    server.files["ecg.zip"] = b"<!doctype html><title>Sorry</title>"
    message = fetch_error(f"{server.url}ecg.zip", folder)
    came = "archive.zip is no whole zip archive but an HTML page of 35 bytes, 'Sorry'; put"
    assert message.startswith(f"the download from {server.url}ecg.zip was removed: {came}")


def test_a_damaged_archive_is_removed_and_does_not_block_the_next_try(
    server: FaultyServer, folder: Path, packed: bytes
) -> None:
    server.once["ecg.zip"] = [Fault(body=packed[:400_000] + b"wrong" + packed[400_005:])]
    assert "archive.zip is a damaged zip archive: " in fetch_error(f"{server.url}ecg.zip", folder)
    gdd.download(folder, f"{server.url}ecg.zip", **QUICK)
    assert (folder / TRAIN).read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]


def test_an_archive_that_is_too_large(
    server: FaultyServer, folder: Path, packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdd, "LARGEST_ARCHIVE", 1_000_000)
    assert f"{len(packed)} bytes, at most 1000000 are allowed" in fetch_error(f"{server.url}ecg.zip", folder)


def test_redirects_are_followed(server: FaultyServer, tmp_path: Path) -> None:
    server.always["start"] = Fault(location=f"{server.url}ecg.zip")
    train, _ = gdd.download(tmp_path, f"{server.url}start", **QUICK)
    assert train.read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]


def test_tls_is_verified(folder: Path, tmp_path: Path, packed: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    certificate = tmp_path / "certificate.pem"
    certificate.write_text(CERTIFICATE)
    with serve({"ecg.zip": packed}, certificate) as encrypted:
        message = fetch_error(f"{encrypted.url}ecg.zip", folder)
        assert "self-signed certificate" in message
        assert "(attempt 1 of 4)" in message
        assert encrypted.log == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # now it is trusted
        gdd.download(folder, f"{encrypted.url}ecg.zip", **QUICK)
    assert (folder / TRAIN).read_bytes() == MEMBERS[f"ecg_data/{TRAIN}"]


def test_no_server_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as gone:
        url = f"{gone.url}ecg.zip"
    assert "Connection refused" in fetch_error(url, folder)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/ecg.zip", "file:///etc/passwd", "ecg.zip", ""])
def test_addresses_of_other_kinds_are_refused(folder: Path, url: str) -> None:
    with pytest.raises(UserError, match=r"give an address that begins with https:// or http://"):
        gdd.download(folder, url, **QUICK)
    assert untouched(folder)


def test_a_folder_that_is_a_file(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "ecg").write_text("in the way")
    with pytest.raises(UserError, match="cannot write to "):
        gdd.download(tmp_path / "ecg", f"{server.url}ecg.zip", **QUICK)


def test_google_is_asked_for_the_predecessors_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def refuse(**flags: Any) -> None:
        asked.update(flags)
        raise gdown.FileURLRetrievalError("Failed to retrieve file url:\n\n\tToo many users have viewed this file\n")

    monkeypatch.setattr(gdown, "download", refuse)
    with pytest.raises(UserError) as caught:
        gdd.download(folder, **QUICK)
    assert asked["url"] == "https://drive.google.com/uc?id=17Rd4YpGwssSpk4xZAT5AyYskjvs95dAY"
    assert gdown.parse_url.parse_url(asked["url"]) == (gdd.FILE_ID, True)
    assert asked["timeout"] == QUICK["timeout"]
    assert not asked["use_cookies"]
    assert "Failed to retrieve file url: Too many users have viewed this file (attempt 1 of 4)" in str(caught.value)
    assert untouched(folder)


def test_what_gdown_trips_over_is_no_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trip(**flags: Any) -> None:
        raise KeyError("content-type")

    monkeypatch.setattr(gdown, "download", trip)
    with pytest.raises(UserError, match=r"cannot download https://drive.*: 'content-type' \(attempt 1 of 4\)"):
        gdd.download(folder, **QUICK)


def test_ctrl_c_ends_a_stalled_download_and_leaves_nothing(server: FaultyServer, folder: Path) -> None:
    server.always["ecg.zip"] = Fault(stall=True, cut=1000)
    with ctrl_c(after=0.5, within=5):
        gdd.download(folder, f"{server.url}ecg.zip", timeout=60, progress=False)
    assert untouched(folder)


def test_progress_on_a_terminal_is_a_bar(
    server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    gdd.download(tmp_path, f"{server.url}ecg.zip", timeout=5)
    assert "100%" in capsys.readouterr().err


def test_no_password_or_query_is_in_a_message(
    server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = server.url.removeprefix("http://")
    address = f"http://me:s3cret@{host}ecg.zip?key=s3cret"
    gdd.download(tmp_path / "ecg", address, **{**QUICK, "progress": True})
    assert f"bytes from {server.url}ecg.zip, unpacking" in capsys.readouterr().err
    bad = (
        f"http://me:s3cret@{host}nothing?key=s3cret",
        "http://me:s3cret@127.0.0.1:9/x?key=s3cret",
        "ftp://me:s3cret@h/x",
    )
    for address in bad:
        with pytest.raises(UserError) as caught:
            gdd.download(tmp_path / "none", address, **QUICK, attempts=1)
        assert "s3cret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_what_killed_downloads_left_is_removed(server: FaultyServer, tmp_path: Path) -> None:
    folder = tmp_path / "ecg"
    for k in range(3):
        (folder / f".gdd-left{k}").mkdir(parents=True)
        (folder / f".gdd-left{k}" / "archive.zip.part").write_bytes(NOISE)
        (folder / f".{TRAIN}.{k}.tmp").write_bytes(NOISE)
    gdd.download(folder, server.url + "ecg.zip", **QUICK)
    assert sorted(path.name for path in folder.iterdir()) == sorted([TRAIN, TEST])
