"""toolbox.utils.process: threads and progress bars."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

import commander
from toolbox.utils import UserError, one_blas_thread, process, progress, tune_process
from toolbox.utils.process import SPINS, THREAD_VARIABLES, check_alone, rank_and_world_size


def test_progress_gives_the_items_and_draws_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter([3, 1, 2]), "counting", total=3)) == [3, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_a_line_each_minute_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(25.0 * step for step in range(100))
    monkeypatch.setattr(process.time, "monotonic", lambda: next(clock))
    assert list(progress(range(6), "records")) == [*range(6)]
    assert list(progress(iter("abc"), "recordings")) == ["a", "b", "c"]
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == ["records: 2 of 6", "records: 5 of 6", "recordings: 2"]


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


def set_place(monkeypatch: pytest.MonkeyPatch, rank: str | None, world: str | None) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", world)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("rank", "world", "place"), [(None, None, (0, 1)), ("0", "1", (0, 1)), ("3", "4", (3, 4)), ("00", "2", (0, 2))]
)
def test_the_place_among_the_processes_of_a_job(
    rank: str | None, world: str | None, place: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_place(monkeypatch, rank, world)
    assert rank_and_world_size() == place


WRONG_PLACES = [
    (None, "4"), ("1", None), (None, "1"), ("0", None), ("", ""), ("", "4"), ("4", "4"), ("-1", "4"), ("1", "0"),
    ("a", "4"), ("1.0", "4"), ("²", "4"), ("1", "four"), ("1 2", "4"),
]  # fmt: skip


@pytest.mark.parametrize(("rank", "world"), WRONG_PLACES)
def test_a_place_that_is_none(rank: str | None, world: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    set_place(monkeypatch, rank, world)
    with pytest.raises(UserError, match=r"RANK is .*, WORLD_SIZE .*: expected both, .*or neither \(unset RANK"):
        rank_and_world_size()
    for what in ("--train", "--test"):
        with pytest.raises(UserError, match="RANK is"):
            check_alone(what)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--test"], "--test"),
        (["--seeds", "2", "--model-name", "cnn1d_3"], "--seeds"),
        (["--export"], "--export"),
        (["--predict", "-", "--fs", "360"], "--predict -"),
    ],
)
def test_what_is_work_for_one_process(
    flags: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_place(monkeypatch, "1", "2")
    with pytest.raises(
        UserError, match=rf"WORLD_SIZE is 2 in the environment: {what} is work for one process"
    ) as caught:
        commander.main([*flags, "--root-dir", str(tmp_path)])
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())
