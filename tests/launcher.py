"""Starts command lines in forked children of a process that has everything imported, and kills them on demand.

Each line on stdin is a JSON object {"argv", "cwd", "output"} and, all optional: "kill" (send "signals" after so many
seconds), "signals" (their numbers, SIGKILL by itself) and "gap" (seconds from one to the next). The answer, a line on
stdout, is {"status": exit code, negative for the signal that ended it; "seconds": how long it ran}.

One thread only: a fork of a process whose thread pools have run is not safe.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sklearn.metrics  # noqa: F401
import torch
from torch.utils import data  # noqa: F401

import commander
import toolbox.losses
import toolbox.provenance
import toolbox.resume
import trainer  # noqa: F401

toolbox.provenance.git_state = lambda folder=None: {"commit": None, "dirty": None}  # spares three processes a start


def child(order: dict) -> None:
    """Run commander with `order["argv"]`; never returns."""
    code = 70
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):  # whatever this process was started with
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        torch.set_num_threads(1)
        os.chdir(order["cwd"])
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = ["commander.py", *order["argv"]]
        code = commander.cli()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(pid: int, until: float) -> int | None:
    """The exit status of `pid`, None when it is still running at time `until`."""
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(0.001)


def launch(order: dict) -> dict:
    """Fork, wait, signal, and say how it ended."""
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(order)
    status = None
    if "kill" in order:
        until = begun + order["kill"]
        for number in order.get("signals", [signal.SIGKILL]):
            status = wait(pid, until)
            if status is not None:
                break
            (os.killpg if order.get("group") else os.kill)(pid, number)
            until = time.monotonic() + order.get("gap", 0.0)
    if status is None:
        status = wait(pid, time.monotonic() + 120)
    if status is None:
        os.kill(pid, signal.SIGKILL)
        status = wait(pid, time.monotonic() + 10)
    return {"status": status, "seconds": time.monotonic() - begun}


if __name__ == "__main__":
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(launch(json.loads(line))), flush=True)
