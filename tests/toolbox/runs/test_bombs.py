"""Checkpoints that would keep a reader busy for ever, or fill the memory, are refused in one line, quickly."""

from __future__ import annotations

import os
import pickle
import struct
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from toolbox.runs import pickle_program
from toolbox.runs.checkpoint import FORMAT, load_checkpoint, save_checkpoint
from toolbox.runs.checkpoint_checks import LARGEST
from toolbox.runs.pickle_reader import import_weights
from toolbox.utils import UserError

SECONDS = 8  # a bomb takes hours; a busy machine, some seconds
READERS: dict[str, Callable[[Path], Any]] = {"--model-file": load_checkpoint, "--import-weights": import_weights}


def refused(read: Callable[[Path], Any], path: Path) -> str:
    """The one line of a refusal, which must come quickly."""
    begun = time.monotonic()
    with pytest.raises(UserError) as caught:
        read(path)
    assert time.monotonic() - begun < SECONDS
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert str(path) in str(caught.value)
    return str(caught.value)


def nested(kind: type, depth: int = 40) -> Any:
    """A list, tuple or dict of twice the one before, forty times over."""
    value: Any = kind()
    for _ in range(depth):
        value = {"a": value, "b": value} if kind is dict else kind([value, value])
    return value


def nested_key(opcodes: bytes) -> bytes:
    """A pickle in which a tuple of twice the tuple before becomes a key; `opcodes` puts it there."""
    program = b"\x80\x02)" + b"".join(
        b"q" + bytes([k]) + b"0h" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(40)
    )
    return program + b"q\xf00" + opcodes + b"."


def as_archive(program: bytes, path: Path) -> Path:
    """A checkpoint's archive whose pickle is `program`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
    return path


@pytest.mark.parametrize("kind", [list, tuple, dict])
@pytest.mark.parametrize("under", ["log", "model", "optimizer", "class_names", "best", "elsewhere"])
def test_nested_containers_are_no_checkpoint(tmp_path: Path, kind: type, under: str) -> None:
    path = tmp_path / "nested.pth.tar"
    state = {"format": FORMAT, "model": {"fc.weight": torch.zeros(2)}, under: nested(kind)}
    torch.save(state, path)
    assert "again and again" in refused(load_checkpoint, path)
    torch.save(nested(kind), path)
    assert "again and again" in refused(load_checkpoint, path)


def test_many_lists_of_one_long_list_are_no_checkpoint(tmp_path: Path) -> None:
    row = [1] * 20_000
    torch.save({"format": FORMAT, "model": {}, "log": {"confusion": [row] * 20_000}}, tmp_path / "wide.pth.tar")
    assert "again and again" in refused(load_checkpoint, tmp_path / "wide.pth.tar")


def test_a_container_that_holds_itself_is_no_checkpoint(tmp_path: Path) -> None:
    circle: list[Any] = []
    circle.append(circle)
    torch.save({"format": FORMAT, "model": {}, "log": circle}, tmp_path / "circle.pth.tar")
    assert "again and again" in refused(load_checkpoint, tmp_path / "circle.pth.tar")


def test_parts_that_checkpoints_share_stay_allowed(tmp_path: Path) -> None:
    betas, shared = (0.9, 0.999), torch.arange(4.0)
    state = {"model": {"a": shared, "b": shared}, "optimizer": {"groups": [{"betas": betas}] * 9}}
    save_checkpoint(tmp_path / "sound.pth.tar", state)
    assert load_checkpoint(tmp_path / "sound.pth.tar")["optimizer"]["groups"] == [{"betas": betas}] * 9


KEYS = {
    "dictionary": b"}h\xf0Ns",  # SETITEM
    "dictionary of several": b"}(h\xf0NU\x01aNu",  # SETITEMS
    "dictionary at once": b"(h\xf0Nd",  # DICT
    "ordered dictionary": b"ccollections\nOrderedDict\n(h\xf0N\x86l\x85R",
    "set": b"\x8f(h\xf0\x90",  # EMPTY_SET, ADDITEMS
    "frozen set": b"(h\xf0\x91",
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("where", KEYS)
def test_nested_tuples_as_keys_are_refused(tmp_path: Path, name: str, where: str) -> None:
    path = as_archive(nested_key(KEYS[where]), tmp_path / "keys.pth.tar")
    said = refused(READERS[name], path)
    assert ("damaged or not a checkpoint" if name == "--model-file" else "holds no state_dict") in said


def views(count: int, zipped: bool, path: Path, size: int = 1 << 18) -> Path:
    """`count` names of views of one storage, eight of them different."""
    storage = torch.zeros(size)
    torch.save(
        {f"w{k}": storage[k % 8 :].view(1, -1) for k in range(count)}, path, _use_new_zipfile_serialization=zipped
    )
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_views_of_one_storage_have_no_more_bytes_than_the_file(tmp_path: Path, zipped: bool) -> None:
    assert "tensors of" in refused(import_weights, views(4000, zipped, tmp_path / "views.pth"))


@pytest.mark.parametrize("zipped", [True, False])
def test_parts_and_names_of_one_storage_stay_allowed(tmp_path: Path, zipped: bool) -> None:
    flat = torch.arange(12.0)
    state = OrderedDict(a=flat[:6].view(2, 3), b=flat[6:].view(3, 2).t(), tied=flat[:6].view(2, 3))
    torch.save(state, tmp_path / "parts.pth", _use_new_zipfile_serialization=zipped)
    weights = import_weights(tmp_path / "parts.pth")
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[name], state[name]) for name in state)


def test_a_storage_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    frombuffer = torch.frombuffer

    def counted(buffer: Any, **options: Any) -> Any:
        read.append(id(buffer))
        return frombuffer(buffer, **options)

    monkeypatch.setattr(pickle_program.torch, "frombuffer", counted)
    flat = torch.arange(12.0)
    torch.save({f"w{k}": flat[k : k + 1] for k in range(12)}, tmp_path / "parts.pth")
    import_weights(tmp_path / "parts.pth")
    assert len(read) == 12 and len(set(read)) == 1


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(READERS[name], tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    refused(READERS[name], tmp_path / "zero")
    assert refused(import_weights, tmp_path / "pipe").endswith("is no file but a pipe or a device")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("size", [LARGEST + 1, 1 << 40])
def test_a_huge_sparse_file_is_refused_unread(tmp_path: Path, name: str, size: int) -> None:
    with open(tmp_path / "sparse", "wb") as handle:
        handle.truncate(size)
    assert refused(READERS[name], tmp_path / "sparse").endswith(f"has {size} bytes, at most {LARGEST} are read")


def test_a_storage_that_is_longer_than_the_file_is_not_reserved(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(4)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    content = bytearray((tmp_path / "old.pth").read_bytes())
    at = content.rindex(struct.pack("<q", 4))
    content[at : at + 8] = struct.pack("<q", 1 << 28)
    (tmp_path / "old.pth").write_bytes(content)
    assert "a storage of impossible length" in refused(import_weights, tmp_path / "old.pth")


@pytest.mark.parametrize("size", [[[2]] * 3, ("2", 2), (2.0, 2), (True, 2), (-1, 4)])
def test_sizes_that_are_none(tmp_path: Path, size: Any) -> None:
    path = tmp_path / "sizes.pth"
    torch.save({"w": torch.zeros(2, 2)}, path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    name = next(member for member in members if member.endswith("data.pkl"))
    plain = pickle.dumps((2, 2), 2)[2:-1]
    assert plain[:5] in members[name]
    members[name] = members[name].replace(plain[:5], pickle.dumps(size, 2)[2:-1], 1)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    refused(import_weights, path)
