"""loaders.sources.physionet against a local server that cuts, stalls and lies."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loaders.sources import download as fetch
from loaders.sources import physionet
from tests.server import CERTIFICATE, Fault, FaultyServer, ctrl_c, serve
from toolbox.utils import UserError

QUICK: dict[str, Any] = {"timeout": 10, "backoff": 0.01, "progress": False}
HASTY = QUICK | {"timeout": 0.4}  # for servers that stall
SIGNAL = bytes(range(256)) * 1200  # 307,200 bytes: several blocks


def database(*records: str, names: str | None = None) -> dict[str, bytes]:
    """A made-up database: every record has three files, of which only .dat is long."""
    files = {
        "RECORDS": ("\n".join(records) + "\n" if names is None else names).encode(),
        "ANNOTATORS": b"atr\treference beats\n",
    }
    for record in records:
        files[f"{record}.hea"] = f"{record} 2 360 650000\n".encode()
        files[f"{record}.dat"] = record.encode() + SIGNAL
        files[f"{record}.atr"] = record.encode() * 40
    return files | {"SHA256SUMS.txt": digest_list(files)}


def digest_list(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(body).hexdigest()} {name}\n" for name, body in files.items()).encode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # most of the time these tests take, on a busy disk
    with serve(database("100", "x_108")) as running:
        yield running


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_file_comes_once_and_whole(server: FaultyServer, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "mitdb"
    assert physionet.download(folder, server.url, **QUICK) == folder
    assert contents(folder) == server.files
    assert sorted(request.name for request in server.log) == sorted(server.files)


def test_base_url_without_slash_and_files_outside_the_list_of_records(server: FaultyServer, tmp_path: Path) -> None:
    server.files["SHA256SUMS.txt"] += b"0" * 64 + b" ../evil.dat\n" + b"1" * 64 + b" mitdbdir/intro.htm\n"
    physionet.download(tmp_path / "mitdb", server.url.rstrip("/"), **QUICK)
    assert contents(tmp_path / "mitdb") == server.files  # what RECORDS does not name is not asked for


def test_verified_files_are_kept_and_wrong_ones_replaced(server: FaultyServer, tmp_path: Path) -> None:
    physionet.download(tmp_path, server.url, **QUICK)
    before = (tmp_path / "100.dat").stat().st_mtime_ns
    (tmp_path / "x_108.dat").write_bytes(b"spoilt")
    server.log.clear()
    physionet.download(tmp_path, server.url, **QUICK)
    assert [request.name for request in server.log] == ["SHA256SUMS.txt", "x_108.dat"]
    assert (tmp_path / "100.dat").stat().st_mtime_ns == before
    assert contents(tmp_path) == server.files


def test_the_published_list_is_pinned(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(physionet, "BASE_URL", server.url)
    with pytest.raises(UserError, match=r"SHA256SUMS\.txt: wrong bytes, SHA-256 .* instead of b61158a96d5f2ca8"):
        physionet.download(tmp_path, **QUICK)
    assert contents(tmp_path) == {}


def test_with_a_pinned_list_a_complete_folder_needs_no_server(server: FaultyServer, tmp_path: Path) -> None:
    pin = hashlib.sha256(server.files["SHA256SUMS.txt"]).hexdigest()
    physionet.download(tmp_path, server.url, list_sha256=pin, **QUICK)
    server.log.clear()
    physionet.download(tmp_path, server.url, list_sha256=pin, **QUICK)
    assert server.log == []


def test_of_other_databases_records_without_annotations_are_left_out(server: FaultyServer, tmp_path: Path) -> None:
    server.files = database("118e24", "bw")
    del server.files["bw.atr"], server.files["ANNOTATORS"], server.files["SHA256SUMS.txt"]
    server.files["SHA256SUMS.txt"] = digest_list(server.files)
    with pytest.raises(UserError, match="has no line for ANNOTATORS"):
        physionet.download(tmp_path / "strict", server.url, **QUICK)
    physionet.download(tmp_path, server.url, some_annotated=True, **QUICK)
    names = {"SHA256SUMS.txt", "RECORDS", "118e24.hea", "118e24.dat", "118e24.atr"}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == names


def test_the_records_are_those_of_mitdb() -> None:
    listed = "".join(f"{record}\n" for record in physionet.RECORDS).encode()
    published = "fcdca7ead9fc93f612f7e025029241cb6429ba2fcd05327b661bdc6b26fbcb57"  # RECORDS in PhysioNet's list
    assert hashlib.sha256(listed).hexdigest() == published


def test_a_cut_body_is_resumed_where_it_broke(server: FaultyServer, tmp_path: Path) -> None:
    server.once["100.dat"] = [Fault(cut=200_000)]
    physionet.download(tmp_path, server.url, **QUICK)
    first, second = server.requests("100.dat")
    assert (first.range, first.sent) == (None, 200_000)
    assert (second.range, second.status) == ("bytes=200000-", 206)
    assert second.sent == len(server.files["100.dat"]) - 200_000
    assert contents(tmp_path) == server.files


def test_a_later_call_resumes_what_an_earlier_one_left(server: FaultyServer, tmp_path: Path) -> None:
    whole = server.files["100.dat"]
    server.always["100.dat"] = Fault(cut=100_000)
    with pytest.raises(UserError, match=r"100\.dat: .*attempt 1 of 1.* the same command resumes from there"):
        physionet.download(tmp_path, server.url, attempts=1, **QUICK)
    assert (tmp_path / "100.dat.part").read_bytes() == whole[:100_000]
    assert not (tmp_path / "100.dat").exists()
    server.always.clear()
    server.log.clear()
    physionet.download(tmp_path, server.url, **QUICK)
    (request,) = server.requests("100.dat")
    assert (request.range, request.sent) == ("bytes=100000-", len(whole) - 100_000)
    assert contents(tmp_path) == server.files


@pytest.mark.parametrize("left", [0, 1, 5000])
def test_a_part_that_is_whole_or_too_long(server: FaultyServer, tmp_path: Path, left: int) -> None:
    whole = server.files["100.dat"]
    (tmp_path / "100.dat.part").write_bytes(whole + b"x" * left)
    physionet.download(tmp_path, server.url, **QUICK)
    assert [request.status for request in server.requests("100.dat")] == ([416] if left == 0 else [416, 200])
    assert contents(tmp_path) == server.files


@pytest.mark.parametrize("fault", [Fault(ignore_range=True), Fault(shift=7), Fault(body=b"short")])
def test_a_server_that_mistakes_ranges_is_asked_for_the_whole(
    server: FaultyServer, tmp_path: Path, fault: Fault
) -> None:
    (tmp_path / "100.dat.part").write_bytes(server.files["100.dat"][:1000])
    server.once["100.dat"] = [fault]
    physionet.download(tmp_path, server.url, **QUICK)
    assert server.requests("100.dat")[0].range == "bytes=1000-"
    assert contents(tmp_path) == server.files


def test_a_part_of_another_file_is_thrown_away(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "100.dat.part").write_bytes(b"z" * 1000)
    physionet.download(tmp_path, server.url, **QUICK)
    assert [request.range for request in server.requests("100.dat")] == ["bytes=1000-", None]
    assert contents(tmp_path) == server.files


def test_a_body_that_is_always_cut_ends_in_an_error(server: FaultyServer, tmp_path: Path) -> None:
    server.always["100.atr"] = Fault(cut=0)
    with pytest.raises(UserError) as caught:
        physionet.download(tmp_path, server.url, jobs=1, **QUICK)
    message = str(caught.value)
    assert message.startswith(f"{server.url}100.atr: ")
    assert "attempt 4 of 4" in message
    assert f"5 files in {tmp_path} are verified" in message  # the list, RECORDS, ANNOTATORS, 100.hea, 100.dat
    assert "\n" not in message
    assert len(server.requests("100.atr")) == 4
    assert not (tmp_path / "100.atr").exists()
    assert not server.requests("x_108.hea")  # the first failure stops all


def test_of_several_files_at_once_the_first_failure_is_told(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.always["100.dat"] = Fault(status=403)
    stopped, fetch_one = threading.Event(), fetch.Fetcher.fetch

    def lag(self: fetch.Fetcher, name: str, problem: Any, reuse: bool = True) -> None:
        """x_108.dat is at work when 100.dat fails, and ends first."""
        if name == "x_108.dat":
            assert self.stop.wait(10)
        try:
            fetch_one(self, name, problem, reuse)
        finally:
            if name == "x_108.dat":
                stopped.set()

    monkeypatch.setattr(fetch.Fetcher, "fetch", lag)
    with pytest.raises(UserError, match=r"100\.dat: the server answers 403"):
        physionet.download(tmp_path, server.url, jobs=6, **QUICK)
    assert stopped.is_set() and not server.requests("x_108.dat")


@pytest.mark.parametrize("fault", [Fault(stall=True), Fault(stall=True, cut=1000)])
def test_a_server_that_stalls_is_given_up(server: FaultyServer, tmp_path: Path, fault: Fault) -> None:
    server.always["100.dat"] = fault
    started = time.monotonic()
    with pytest.raises(UserError, match=r"100\.dat: no bytes for 0\.4 s \(attempt 2 of 2\)"):
        physionet.download(tmp_path, server.url, attempts=2, **HASTY)
    assert 0.8 <= time.monotonic() - started < 5
    assert not (tmp_path / "100.dat").exists()


def test_a_stall_once_is_got_over(server: FaultyServer, tmp_path: Path) -> None:
    server.once["100.dat"] = [Fault(stall=True, cut=70_000)]
    physionet.download(tmp_path, server.url, **HASTY)
    assert server.requests("100.dat")[1].range == "bytes=70000-"
    assert contents(tmp_path) == server.files


def test_a_trickle_ends_too(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUTS_PER_ATTEMPT", 2)
    server.always["100.dat"] = Fault(trickle=0.05)
    with pytest.raises(UserError, match=r"100\.dat: only \d+ bytes came in 0\.8 s"):
        physionet.download(tmp_path, server.url, attempts=1, **HASTY)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_will_not_get_better_is_not_tried_again(server: FaultyServer, tmp_path: Path, status: int) -> None:
    server.always["x_108.atr"] = Fault(status=status)
    with pytest.raises(UserError, match=rf"x_108\.atr: the server answers {status}"):
        physionet.download(tmp_path, server.url, **QUICK)
    assert len(server.requests("x_108.atr")) == 1
    assert not (tmp_path / "x_108.atr").exists()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_get_better_is_tried_again(server: FaultyServer, tmp_path: Path, status: int) -> None:
    server.once["RECORDS"] = [Fault(status=status)]
    server.once["100.dat"] = [Fault(status=status), Fault(status=status)]
    physionet.download(tmp_path, server.url, **QUICK)
    assert [request.status for request in server.requests("100.dat")] == [status, status, 200]
    assert contents(tmp_path) == server.files


def test_an_error_500_that_stays(server: FaultyServer, tmp_path: Path) -> None:
    server.always["100.hea"] = Fault(status=500)
    with pytest.raises(UserError, match=r"100\.hea: the server answers 500 .*attempt 3 of 3"):
        physionet.download(tmp_path, server.url, attempts=3, **QUICK)
    assert len(server.requests("100.hea")) == 3


def test_the_waits_between_attempts_double(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout=None: waits.append(timeout))
    fetcher = fetch.Fetcher(tmp_path, server.url, timeout=5, attempts=4, backoff=8.0)
    server.always["100.hea"] = Fault(status=503)
    with pytest.raises(fetch.FinalError):
        fetcher.fetch("100.hea", lambda path: "")
    between = [wait for wait in waits if wait is not None]  # None: the server's own threads being started
    for wait, least in zip(between, (8, 16, 32), strict=True):
        assert least <= wait <= 1.25 * least


def test_wrong_bytes_once_and_for_ever(server: FaultyServer, tmp_path: Path) -> None:
    server.once["100.dat"] = [Fault(body=b"wrong")]
    server.always["x_108.atr"] = Fault(body=b"wrong too")
    found = hashlib.sha256(b"wrong too").hexdigest()[:16]
    with pytest.raises(UserError, match=rf"x_108\.atr: wrong bytes, SHA-256 {found}\.\.\. instead of"):
        physionet.download(tmp_path, server.url, jobs=1, **QUICK)
    assert (tmp_path / "100.dat").read_bytes() == server.files["100.dat"]
    assert not list(tmp_path.glob("x_108.atr*"))


def test_a_page_in_place_of_the_list(server: FaultyServer, tmp_path: Path) -> None:
    server.always["SHA256SUMS.txt"] = Fault(body=b"<html>please log in</html>")
    with pytest.raises(UserError, match=r"SHA256SUMS\.txt: not a list of SHA-256 digests: .*please log in"):
        physionet.download(tmp_path, server.url, **QUICK)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "a/b", "..", ".hidden", "a\\b", "c:evil", "x" * 65])
def test_record_names_that_leave_the_folder_are_refused(server: FaultyServer, tmp_path: Path, name: str) -> None:
    files = database("100", names=f"100\n{name}\n")
    files["SHA256SUMS.txt"] += "".join(f"{'0' * 64} {name}.{e}\n" for e in physionet.EXTENSIONS).encode()
    server.files = files
    with pytest.raises(UserError, match="which cannot be a record's name"):
        physionet.download(tmp_path / "mitdb", server.url, **QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["mitdb"]
    assert not server.requests("100.dat")


@pytest.mark.parametrize(
    ("names", "message"), [("100\n101\n", "no line for 101.hea, 101.dat, 101.atr"), ("", "no line for any record")]
)
def test_records_that_the_list_does_not_know(server: FaultyServer, tmp_path: Path, names: str, message: str) -> None:
    server.files = database("100", names=names)
    with pytest.raises(UserError, match=message):
        physionet.download(tmp_path, server.url, **QUICK)


def test_a_list_without_records(server: FaultyServer, tmp_path: Path) -> None:
    server.files["SHA256SUMS.txt"] = digest_list({"100.dat": b""})
    with pytest.raises(UserError, match=r"SHA256SUMS\.txt has no line for RECORDS"):
        physionet.download(tmp_path, server.url, **QUICK)


def test_a_file_without_end_does_not_fill_the_disk(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "LARGEST", 100_000)
    with pytest.raises(UserError, match=r"\.dat: more than 100000 bytes"):
        physionet.download(tmp_path, server.url, **QUICK)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "physionet.org/files", "file:///etc/", "", "https://"])
def test_addresses_of_other_kinds_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match=r"give an address that begins with https:// or http://"):
        physionet.download(tmp_path / "mitdb", url, **QUICK)
    assert not (tmp_path / "mitdb").exists()


def test_no_server_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as gone:
        url = gone.url
    with pytest.raises(UserError, match=r"SHA256SUMS\.txt: no connection, or it broke: .*refused") as caught:
        physionet.download(tmp_path, url, **QUICK)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_a_file(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / "mitdb").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write the records to .*mitdb"):
        physionet.download(tmp_path / "mitdb", server.url, **QUICK)


def test_redirects_are_followed(server: FaultyServer, tmp_path: Path) -> None:
    server.files["elsewhere"] = server.files["100.dat"]
    server.always["100.dat"] = Fault(location=f"{server.url}elsewhere")
    physionet.download(tmp_path, server.url, **QUICK)
    assert (tmp_path / "100.dat").read_bytes() == server.files["elsewhere"]


def test_redirects_in_circles_are_an_error(server: FaultyServer, tmp_path: Path) -> None:
    server.always["100.dat"] = Fault(location=f"{server.url}100.dat")
    with pytest.raises(UserError, match=r"100\.dat: Exceeded 30 redirects"):
        physionet.download(tmp_path, server.url, **QUICK)


def test_tls_is_verified(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.write_text(CERTIFICATE)
    with serve(server.files, certificate) as encrypted:
        with pytest.raises(UserError, match=r"no TLS connection that can be trusted: .*self-signed certificate"):
            physionet.download(tmp_path / "a", encrypted.url, **QUICK)
        assert encrypted.log == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # now it is trusted
        physionet.download(tmp_path / "b", encrypted.url, **QUICK)
        assert contents(tmp_path / "b") == server.files
        encrypted.always["100.dat"] = Fault(location=f"{server.url}100.dat")
        with pytest.raises(UserError, match=r"100\.dat redirects to http://.*, which is not encrypted"):
            physionet.download(tmp_path / "c", encrypted.url, **QUICK)


def test_ctrl_c_is_not_held_up_by_a_stalled_server(server: FaultyServer, tmp_path: Path) -> None:
    server.always["100.dat"] = Fault(stall=True, cut=1000)
    with ctrl_c(after=0.5, within=5):
        physionet.download(tmp_path, server.url, timeout=60, progress=False)
    assert not (tmp_path / "100.dat").exists()


def test_two_downloads_into_one_folder_take_turns(
    server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.once["100.dat"] = [Fault(stall=True, cut=1000)]
    first = threading.Thread(target=physionet.download, args=(tmp_path, server.url), kwargs=HASTY)
    first.start()
    while not server.requests("100.dat"):
        time.sleep(0.01)
    physionet.download(tmp_path, server.url, **QUICK)
    first.join()
    assert "another download into" in capsys.readouterr().err
    assert [request.range for request in server.requests("100.dat")] == [None, "bytes=1000-"]
    assert contents(tmp_path) == server.files


def test_the_lock_of_a_download_that_was_killed_is_free(server: FaultyServer, tmp_path: Path) -> None:
    (tmp_path / ".download.lock").touch()
    physionet.download(tmp_path, server.url, **QUICK)
    assert contents(tmp_path) == server.files


def test_progress_without_a_terminal_is_plain_lines(
    server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    physionet.download(tmp_path, server.url, timeout=5)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"note: 6 files from {server.url} to {tmp_path}",
        f"note: 9 files in {tmp_path} verified",
    ]
    physionet.download(tmp_path, server.url, timeout=5, progress=False)
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_a_bar(
    server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    physionet.download(tmp_path, server.url, timeout=5)
    assert re.search(r"\rdownloading:.* \d/6 ", capsys.readouterr().err)


@pytest.mark.parametrize("kind", ["symbolic", "hard", "dangling"])
@pytest.mark.parametrize("name", ["100.hea", "100.dat", "SHA256SUMS.txt"])
def test_a_link_in_place_of_a_part_is_not_followed(server: FaultyServer, tmp_path: Path, kind: str, name: str) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "mitdb"
    folder.mkdir()
    if kind != "dangling":
        victim.write_bytes(b"private")
    (folder / f"{name}.part").symlink_to(victim) if kind != "hard" else (folder / f"{name}.part").hardlink_to(victim)
    physionet.download(folder, server.url, **QUICK)
    assert contents(folder) == server.files
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert victim.exists() == (kind != "dangling")
    assert kind == "dangling" or victim.read_bytes() == b"private"


def test_no_password_or_query_is_in_a_message(server: FaultyServer, tmp_path: Path) -> None:
    host = server.url.removeprefix("http://")
    for address in (
        f"http://me:s3cret@{host}nowhere",
        "http://127.0.0.1:9/x?key=s3cret",
        f"http://me:s3cret@{host}?s3cret",
    ):
        with pytest.raises(UserError) as caught:
            physionet.download(tmp_path / "mitdb", address, **HASTY, attempts=1)
        assert "s3cret" not in str(caught.value) and "127.0.0.1" in str(caught.value)
        assert caught.value.__cause__ is None
