"""toolbox.runs.checkpoint: complete, atomic, and nothing in a file is ever executed."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toolbox.runs import checkpoint
from toolbox.runs.checkpoint import (
    BEST,
    FORMAT,
    KEEP_EVERY,
    LATEST,
    PREVIOUS,
    DamagedError,
    checkpoint_name,
    has_valid_checksum,
    load_checkpoint,
    load_weights,
    put_link,
    save_checkpoint,
    save_epoch,
)
from toolbox.utils import UserError
from toolbox.utils.seeding import generator_states, restore_generators, seed_everything


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def network(classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    return Small(classes)


class Small(nn.Module):
    """A body and a head, named as all the project's models name it."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, 4, 3)
        self.bn1 = nn.BatchNorm1d(4)
        self.fc = nn.Linear(4, classes)


def state(**more: Any) -> dict[str, Any]:
    return {"epoch": 3, "model": network().state_dict(), "best": {"epoch": 2, "score": 0.5}, **more}


def refused(path: Path, because: str) -> str:
    """The one line that says why `path` is no checkpoint."""
    with pytest.raises(UserError, match=because) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert "weights_only" not in message  # torch advises to turn it off, which would run the file
    return message


def draws() -> list[Any]:
    """What all the global generators give next, a cached normal of NumPy's among it."""
    return [
        [random.random(), random.gauss(0, 1), random.randrange(10**9)],
        np.random.standard_normal(3).tolist() + np.random.random(2).tolist(),
        torch.rand(3).tolist() + torch.randperm(10).tolist() + torch.randn(3).tolist(),
    ]


# round trips


def test_round_trip(tmp_path: Path) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    given = state(
        model=model.state_dict(),
        optimizer=optimizer.state_dict(),
        order=torch.Generator().manual_seed(3).get_state(),
        log={"train": [{"epoch": 1, "loss": 0.25, "acc1": None}], "names": ["a", "b"]},
        generators=generator_states(),
    )
    assert save_checkpoint(tmp_path / LATEST, given) == tmp_path / LATEST
    assert names(tmp_path) == [LATEST]
    found = load_checkpoint(tmp_path / LATEST)
    assert found.pop("format") == FORMAT
    assert found.keys() == given.keys()
    for key, value in given["model"].items():
        assert torch.equal(found["model"][key], value)
        assert found["model"][key].dtype == value.dtype
    assert found["optimizer"]["param_groups"] == given["optimizer"]["param_groups"]
    for number, entry in given["optimizer"]["state"].items():
        assert all(torch.equal(found["optimizer"]["state"][number][key], entry[key]) for key in entry)
    assert torch.equal(found["order"], given["order"])
    assert found["log"] == given["log"]
    assert found["best"] == {"epoch": 2, "score": 0.5}


def test_a_file_holds_tensors_and_plain_values_only(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / LATEST, state(generators=generator_states()))
    loaded = torch.load(tmp_path / LATEST, weights_only=True)  # torch itself refuses anything else
    assert loaded["epoch"] == 3


@pytest.mark.parametrize("advance", [0, 1, 700])
def test_generators_go_on_where_they_were(tmp_path: Path, advance: int) -> None:
    seed_everything(11)
    for _ in range(advance):  # an odd number of normals leaves one cached in NumPy and in Python
        random.gauss(0, 1)
        np.random.standard_normal()
        torch.randn(1)
    states = generator_states()
    expected = draws()
    save_checkpoint(tmp_path / LATEST, state(generators=states))
    seed_everything(99)
    assert draws() != expected
    restore_generators(load_checkpoint(tmp_path / LATEST)["generators"])
    assert draws() == expected


def test_seeding_seeds_all_generators() -> None:
    seed_everything(5)
    first = draws()
    second = draws()
    seed_everything(5)
    assert draws() == first
    assert all(a != b for a, b in zip(first, second, strict=True))
    seed_everything(6)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


# what is no checkpoint


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["torch.save", "torch.save, old format", "pickle", "inside the state"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_pickled_objects_are_refused_and_not_run(tmp_path: Path, how: str) -> None:
    path, trap = tmp_path / LATEST, Trap(tmp_path / "sprung")
    if how == "pickle":
        path.write_bytes(pickle.dumps({"format": FORMAT, "model": trap}))
    elif how == "inside the state":
        save_checkpoint(path, state(log={"entries": [trap]}))
    else:
        torch.save({"format": FORMAT, "model": trap}, path, _use_new_zipfile_serialization=how == "torch.save")
    plain = "|damaged or not a checkpoint" if how == "pickle" else ""  # which torch.load cannot read at all
    refused(path, f"pickled objects, which could run code{plain}")
    assert names(tmp_path) == [LATEST]


def test_the_trap_is_one(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert names(tmp_path) == ["sprung"]


def saved_bytes(zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state()}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"hello world\n" * 50, b'{"format": 1}', b"\x80\x02", b"PK\x03\x04", bytes(1000), b"<html></html>"],
    ids=["empty", "text", "json", "start of a pickle", "start of a zip", "zeros", "html"],
)
def test_files_of_other_kinds_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LATEST).write_bytes(content)
    refused(tmp_path / LATEST, "is damaged or not a checkpoint")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
def test_truncated_files_are_refused(tmp_path: Path, zipped: bool) -> None:
    whole = saved_bytes(zipped)
    for length in range(0, len(whole) - 1, 23):
        (tmp_path / LATEST).write_bytes(whole[:length])
        refused(tmp_path / LATEST, ".")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_random_bytes_are_refused(tmp_path: Path) -> None:
    rng = random.Random(0)
    for _ in range(300):
        (tmp_path / LATEST).write_bytes(rng.randbytes(rng.randrange(1, 300)))
        refused(tmp_path / LATEST, ".")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old format"])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_damaged_files_are_refused_or_still_read(tmp_path: Path, zipped: bool) -> None:
    """Wherever a bit flips, no exception gets through but the one for users."""
    whole, rng = saved_bytes(zipped), random.Random(1)
    for _ in range(300):
        content = bytearray(whole)
        content[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        (tmp_path / LATEST).write_bytes(content)
        try:
            assert isinstance(load_checkpoint(tmp_path / LATEST)["model"], dict)
        except UserError as error:
            assert "\n" not in str(error)


def test_a_checksum_is_the_archives_comment_and_torch_reads_the_file_all_the_same(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / BEST, state())
    with zipfile.ZipFile(path) as archive:
        comment = archive.comment.decode()
    assert comment == f"sha256:{hashlib.sha256(path.read_bytes()[: -len(comment) - 2]).hexdigest()}"
    assert torch.load(path, weights_only=True)["epoch"] == torch.load(path, weights_only=True, mmap=True)["epoch"] == 3
    assert load_checkpoint(path)["epoch"] == 3


def test_any_flipped_bit_of_a_sealed_file_is_found(tmp_path: Path) -> None:
    whole, rng = save_checkpoint(tmp_path / BEST, state()).read_bytes(), random.Random(2)
    body = len(whole) - len("sha256:") - 64 - 2
    for _ in range(200):
        content = bytearray(whole)
        content[rng.randrange(body)] ^= 1 << rng.randrange(8)
        assert not has_valid_checksum(bytes(content))
        (tmp_path / BEST).write_bytes(content)
        with pytest.raises(DamagedError, match="is damaged: its bytes do not have the SHA-256 that it was written"):
            load_checkpoint(tmp_path / BEST)


def test_the_latest_before_is_kept_and_there_is_always_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / LATEST, state(epoch=1))
    assert names(tmp_path) == [LATEST]
    seen = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append({name: load_checkpoint(tmp_path / name)["epoch"] for name in names(tmp_path) if name[0] != "."})
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    for epoch in (2, 3):
        save_checkpoint(tmp_path / LATEST, state(epoch=epoch))
    assert seen == [
        {LATEST: 1}, {LATEST: 1, PREVIOUS: 1}, {LATEST: 2, PREVIOUS: 1}, {LATEST: 2, PREVIOUS: 2}
    ]  # fmt: skip
    assert names(tmp_path) == sorted([LATEST, PREVIOUS])


def test_where_there_are_no_hard_links_a_copy_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    for epoch in (1, 2):
        save_checkpoint(tmp_path / LATEST, state(epoch=epoch))
    assert load_checkpoint(tmp_path / PREVIOUS)["epoch"] == 1
    put_link(tmp_path / PREVIOUS, tmp_path / LATEST)
    assert load_checkpoint(tmp_path / LATEST)["epoch"] == 1
    assert names(tmp_path) == sorted([LATEST, PREVIOUS])


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        torch.ones(3),
        {},
        {"model": {}},
        {"format": 1},
        network().state_dict(),
        {"format": 1, "model": [1]},
        {"format": 1, "model": {"a": 3}},
        {"format": "one", "model": {}},
        {"format": None, "model": {}},
    ],
    ids=[
        "list",
        "tensor",
        "empty",
        "no format",
        "no model",
        "weights alone",
        "model is a list",
        "model of numbers",
        "format is a text",
        "format is none",
    ],
)
def test_other_contents_are_refused(tmp_path: Path, value: Any) -> None:
    torch.save(value, tmp_path / LATEST)
    refused(tmp_path / LATEST, "is not a checkpoint of this project")


def test_newer_formats_are_refused(tmp_path: Path) -> None:
    torch.save({**state(), "format": FORMAT + 1}, tmp_path / LATEST)
    refused(tmp_path / LATEST, rf"has format {FORMAT + 1}, this version reads up to {FORMAT}")


def test_a_missing_file_is_told_with_those_there_are(tmp_path: Path) -> None:
    refused(tmp_path / LATEST, "^no checkpoint .*; there: none$")
    for name in (BEST, "checkpoint_epoch5.pth.tar", "logger.json"):
        (tmp_path / name).write_bytes(b"")
    message = refused(tmp_path / "checkpoint_epoch7.pth.tar", "^no checkpoint ")
    assert message.endswith(f"; there: checkpoint_epoch5.pth.tar, {BEST}")
    refused(tmp_path / "no" / "such" / "folder", "^no checkpoint ")
    refused(tmp_path, "^no checkpoint ")


# files are whole


def test_a_save_that_fails_midway_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path / LATEST, state())
    before = (tmp_path / LATEST).read_bytes()

    def half(value: Any, handle: Any) -> None:
        handle.write(before[: len(before) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", half)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / LATEST, state(epoch=4))
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / BEST, state(epoch=4))
    assert names(tmp_path) == [LATEST]
    assert (tmp_path / LATEST).read_bytes() == before
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / LATEST)["epoch"] == 3


def test_a_value_that_cannot_be_saved_leaves_the_old_file(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / LATEST, state())
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        save_checkpoint(tmp_path / LATEST, state(log=lambda: None))
    assert names(tmp_path) == [LATEST]
    assert load_checkpoint(tmp_path / LATEST)["epoch"] == 3


def test_each_epoch_leaves_the_files_of_the_contract(tmp_path: Path) -> None:
    for epoch in range(1, 12):
        save_epoch(tmp_path, epoch, state(epoch=epoch), best=epoch in (1, 4))
    epochs = {name: load_checkpoint(tmp_path / name)["epoch"] for name in names(tmp_path)}
    every_fifth = {"checkpoint_epoch5.pth.tar": 5, "checkpoint_epoch10.pth.tar": 10}
    assert epochs == {LATEST: 11, PREVIOUS: 10, BEST: 4, **every_fifth}
    assert KEEP_EVERY == 5


def test_the_latest_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(checkpoint, "save_checkpoint", lambda path, _: order.append(Path(path).name))
    save_epoch(tmp_path, 5, state(), best=True)
    assert order[-1] == LATEST
    assert sorted(order) == sorted([LATEST, BEST, "checkpoint_epoch5.pth.tar"])


@pytest.mark.parametrize(("which", "name"), [("latest", LATEST), ("best", BEST), (7, "checkpoint_epoch7.pth.tar")])
def test_checkpoint_names(which: str | int, name: str) -> None:
    assert checkpoint_name(which) == name
    assert checkpoint_name(str(which)) == name


# weights


def other(model: nn.Module) -> dict[str, Tensor]:
    return {key: value + 1 for key, value in model.state_dict().items()}


def test_weights_are_loaded(tmp_path: Path) -> None:
    model = network()
    weights = other(model)
    load_weights(model, weights, "here")
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())


def schema_error(change: Any, new_head: bool = False) -> str:
    """What is said of weights that were changed; the model must keep its own."""
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    weights = other(model)
    change(weights)
    with pytest.raises(UserError, match=r"^some/run does not fit the model: it ") as caught:
        load_weights(model, weights, "some/run", new_head=new_head)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    return str(caught.value).partition(": it ")[2]


def test_mismatches_name_what_differs() -> None:
    assert schema_error(lambda weights: weights.pop("bn1.weight")) == "lacks bn1.weight"
    assert schema_error(lambda weights: weights.update(extra=torch.ones(1))) == "has unknown extra"
    shape = schema_error(lambda weights: weights.update({"conv1.weight": torch.ones(8, 1, 3)}))
    assert shape == "has shapes conv1.weight (8, 1, 3) for (4, 1, 3)"

    def several(weights: dict[str, Tensor]) -> None:
        del weights["fc.bias"]
        weights["more"] = torch.ones(1)
        weights["fc.weight"] = torch.ones(2, 4)

    assert schema_error(several) == "lacks fc.bias; has unknown more; has shapes fc.weight (2, 4) for (5, 4)"


def test_long_lists_of_mismatches_are_cut() -> None:
    message = schema_error(lambda weights: weights.clear())
    assert message == "lacks bn1.bias, bn1.num_batches_tracked, bn1.running_mean ..."


def test_a_head_of_other_size_is_refused_unless_a_new_one_is_allowed() -> None:
    two = other(network(2))
    with pytest.raises(UserError, match=r"fc\.weight \(2, 4\) for \(5, 4\), fc\.bias \(2,\) for \(5,\)$"):
        load_weights(network(), two, "here")
    model = network()
    own = {key: value.clone() for key, value in model.state_dict().items()}
    given = {key: value.clone() for key, value in two.items()}
    load_weights(model, two, "here", new_head=True)
    for key, value in model.state_dict().items():
        assert torch.equal(value, own[key] if key.startswith("fc.") else two[key]), key
    assert all(torch.equal(two[key], given[key]) for key in given)  # the caller's weights are left alone


def test_a_head_that_fits_is_taken_though_a_new_one_is_allowed() -> None:
    model = network()
    weights = other(model)
    load_weights(model, weights, "here", new_head=True)
    assert torch.equal(model.state_dict()["fc.weight"], weights["fc.weight"])


def test_a_new_head_excuses_no_other_layer() -> None:
    assert "conv1.weight" in schema_error(lambda weights: weights.update({"conv1.weight": torch.ones(8, 1, 3)}), True)
    assert schema_error(lambda weights: weights.pop("fc.bias"), True) == "lacks fc.bias"
