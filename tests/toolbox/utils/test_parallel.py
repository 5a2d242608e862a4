"""Work spread over processes."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.conftest import ROOT
from toolbox.utils import UserError
from toolbox.utils.parallel import spread


def act(item: str) -> Any:
    """What each item says: return, refuse, err or die."""
    if item == "refuse":
        raise UserError("not this one")
    if item == "err":
        raise ValueError("an error\nof two lines")
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "exit":
        os._exit(7)
    return item, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def outcomes(items: list[str], processes: int) -> dict[str, Any]:
    return {f"{k} {items[k]}": came for k, came in spread(act, items, processes)}


def test_in_this_process() -> None:
    found = outcomes(["a", "refuse", "err"], 0)
    assert found["0 a"][:2] == ("a", os.getpid())
    assert isinstance(found["1 refuse"], UserError) and str(found["1 refuse"]) == "not this one"
    assert str(found["2 err"]).startswith("ValueError: an error")


def test_in_processes_of_their_own_and_one_that_dies_takes_nothing_with_it() -> None:
    items = ["a", "die", "b", "refuse", "err", "c", "exit", "d"]
    found = outcomes(items, 2)
    assert sorted(found) == sorted(f"{k} {item}" for k, item in enumerate(items))
    assert {found[key][0] for key in found if key[-1] in "abcd" and isinstance(found[key], tuple)} == set("abcd")
    assert {found[key][1] for key in found if isinstance(found[key], tuple)}.isdisjoint({os.getpid()})
    assert all(found[key][2] is not None for key in found if isinstance(found[key], tuple))
    assert isinstance(found["1 die"], UserError) and "SIGKILL" in str(found["1 die"])
    assert isinstance(found["6 exit"], UserError) and "exit code 7" in str(found["6 exit"])
    assert isinstance(found["3 refuse"], UserError)
    assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"]


def deaf_to_ctrl_c(_: int) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs POSIX signals")
def test_no_process_is_ever_told_of_ctrl_c() -> None:
    program = (  # in a new one: the first process that is spawned is a case of its own
        "from tests.toolbox.utils.test_parallel import deaf_to_ctrl_c; from toolbox.utils.parallel import spread\n"
        "print([came for _, came in spread(deaf_to_ctrl_c, [0, 1], 2)])"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert (told.stdout, told.stderr) == ("[True, True]\n", "")


def leave_slowly(_: int) -> int:
    """Work whose process takes its time to end, as one with torch does."""
    atexit.register(time.sleep, 30)
    return os.getpid()


def test_processes_without_work_end_without_a_word() -> None:
    program = "from tests.toolbox.utils.test_parallel import leave_slowly\nfrom toolbox.utils.parallel import spread\n"
    program += "if __name__ == '__main__':\n    print(len(list(spread(leave_slowly, [1, 2], 2))))\n"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert (run.returncode, run.stdout, run.stderr) == (0, "2\n", "")


def wait(item: int) -> int:
    time.sleep(item)
    return os.getpid()


def test_processes_end_with_whoever_stops_listening() -> None:
    running = spread(wait, [0, 60], 2)
    position, pid = next(running)
    assert position == 0
    started = time.monotonic()
    running.close()
    assert time.monotonic() - started < 20
    with pytest.raises(StopIteration):
        next(running)
    assert pid != os.getpid()
