"""toolbox.utils.process: threads and progress bars."""

from __future__ import annotations

import os

import pytest
from threadpoolctl import threadpool_info

from toolbox.utils import one_blas_thread, progress, tune_process
from toolbox.utils.process import SPINS, THREAD_VARIABLES


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
