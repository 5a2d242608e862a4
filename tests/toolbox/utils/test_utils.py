"""toolbox.utils: files that are never half written, tables of names, digests."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from loaders import DATASETS
from models import MODELS
from toolbox import CRITERIA, OPTIMIZERS, SCHEDULERS
from toolbox.utils import (
    SPINS,
    THREAD_VARIABLES,
    Registry,
    UserError,
    atomic_write,
    nearest,
    one_blas_thread,
    progress,
    read_json,
    sha256_array,
    sha256_of,
    tune_process,
    write_json,
)

REGISTRIES = [DATASETS, MODELS, CRITERIA, OPTIMIZERS, SCHEDULERS]


@pytest.fixture
def umask() -> Iterator[None]:
    """Leaves the process's umask as it was."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_write_makes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    for content in (b"first", b"second, longer"):
        with atomic_write(path) as handle:
            handle.write(content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["data.bin"]


def test_atomic_write_takes_text_as_utf8(tmp_path: Path) -> None:
    with atomic_write(str(tmp_path / "text"), "w") as handle:
        handle.write("Größe\n")
    assert (tmp_path / "text").read_bytes() == "Größe\n".encode()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_atomic_write_that_fails_keeps_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path) as handle:
        handle.write(b"x" * 100_000)
        handle.flush()
        raise error("midway")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["data.bin"]


def test_atomic_write_that_fails_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "new") as handle:
        handle.write(b"part")
        raise RuntimeError("midway")
    assert names(tmp_path) == []


def test_atomic_write_shows_nothing_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as handle:
        handle.write(b"new")
        handle.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_atomic_write_whose_rename_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError), atomic_write(tmp_path / "folder") as handle:
        handle.write(b"a file cannot replace a folder")
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["inside"]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX file modes")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_atomic_write_gives_the_mode_that_the_umask_asks_for(tmp_path: Path, umask: None, mask: int, mode: int) -> None:
    os.umask(mask)
    with atomic_write(tmp_path / "data.bin") as handle:
        handle.write(b"x")
    assert stat.S_IMODE((tmp_path / "data.bin").stat().st_mode) == mode
    now = os.umask(mask)
    assert now == mask  # left as it was found


def test_json_round_trip(tmp_path: Path) -> None:
    value = {"name": "Größe", "list": [1, 2.5, None, True], "nested": {"a": []}}
    path = tmp_path / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_bytes().endswith(b"}\n")
    write_json(path, value, indent=None)
    assert path.read_text(encoding="utf-8").count("\n") == 1
    assert read_json(path) == value


def test_json_that_cannot_be_written_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": [1, 2, object()]})
    assert json.loads(path.read_text()) == {"old": 1}
    assert names(tmp_path) == ["value.json"]


@pytest.mark.parametrize("content", [None, b"", b'{"cut": ', b"\xff\xfe\x00", b"no json"])
def test_json_that_cannot_be_read_is_the_users_business(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "value.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"^cannot read .*value\.json: .") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_registry_imports_nothing_before_it_is_asked() -> None:
    code = (
        "import sys; import loaders, models, toolbox; list(models.MODELS); len(toolbox.CRITERIA)\n"
        "models.MODELS.canonical('cnn1d'); assert 'cnn1d_3' in list(models.MODELS)\n"
        "names = ('torch', 'models.cnn1d', 'toolbox.losses', 'loaders.beats.table')\n"
        "print([name for name in names if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


def test_registry_looks_up_names_and_aliases() -> None:
    table = Registry("thing", {"pure": "posixpath:join", "splits": "posixpath:split"}, aliases={"p": "pure"})
    assert list(table) == ["pure", "splits"]
    assert len(table) == 2
    assert table["pure"] is table["p"] is __import__("posixpath").join
    assert table.canonical("p") == "pure"
    assert table.canonical("splits") == "splits"


def test_registry_is_a_mapping_that_knows_what_it_has() -> None:
    table = Registry("thing", {"pure": "posixpath:join"}, aliases={"p": "pure"})
    assert "pure" in table
    assert "nothing" not in table
    assert table.get("nothing") is None


def test_registry_says_what_is_known_and_what_is_nearest() -> None:
    table = Registry("thing", {"alpha": "posixpath:join", "beta": "posixpath:split"}, aliases={"gamma": "beta"})
    with pytest.raises(UserError, match=r"^unknown thing 'alpa', did you mean 'alpha'\? known: alpha, beta$"):
        table["alpa"]
    with pytest.raises(UserError, match=r"did you mean 'gamma'\?"):
        table["gama"]
    with pytest.raises(UserError, match=r"^unknown thing 'zzz'[;,:.] known: alpha, beta$"):
        table["zzz"]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_name_and_alias_leads_to_something_callable(registry: Registry) -> None:
    assert len(registry) > 0
    for name in [*registry, *registry.aliases]:
        assert callable(registry[name])
        assert registry.canonical(name) in list(registry)


def test_nearest() -> None:
    assert nearest("resnet1d_1", ["cnn1d_3", "resnet1d_10"]) == ", did you mean 'resnet1d_10'?"
    assert nearest("zzz", ["cnn1d_3", "resnet1d_10"]) == ""


def test_digest_of_a_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "data").write_bytes(content)
    assert sha256_of(tmp_path / "data") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.arange(5, dtype=np.int64),
        np.array(["100", "a", ""]),
        np.zeros((0, 187), dtype=np.float32),
        np.zeros(0, dtype="U1"),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
def test_digest_of_an_array(array: np.ndarray) -> None:
    assert sha256_array(array) == hashlib.sha256(array.tobytes()).hexdigest()


def test_progress_gives_the_items_and_draws_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter([3, 1, 2]), "counting", total=3)) == [3, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_inside_numpy_multiplies_with_one_thread_and_afterwards_as_before() -> None:
    def threads() -> list[int]:
        return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]

    before = threads()
    with one_blas_thread():
        inside = threads()
    assert len(inside) >= 1 and set(inside) == {1}
    assert threads() == before


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_threads_wait_briefly_unless_the_environment_says_otherwise(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    tune_process()
    found = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    assert found == (given or {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": SPINS})
