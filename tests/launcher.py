"""Starts command lines in forked children of a process that has everything imported, and kills them on demand.

Each line on stdin is a JSON object {"argv", "cwd", "output"} and, all optional: "kill" (send "signals" after so many
seconds, counted from when "after" is printed, if given), "signals" (their numbers, SIGKILL by itself), "gap" (seconds
from one to the next), "group" (send them to the workers too) and "saves" (it kills itself when it has saved so many
times within epochs). The answer, a line on stdout, is {"status": exit
code, negative for the signal that ended it; "seconds": how long it ran}.

One thread only: a fork of a process whose thread pools have run is not safe.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sklearn.metrics  # noqa: F401
import torch
from torch.utils import data  # noqa: F401

import commander
import toolbox.losses
import toolbox.reports.run_files
import toolbox.reports.tensorboard
import toolbox.runs.provenance
import toolbox.runs.resume
import trainer

# They take most of a small run's time and are tested elsewhere.
toolbox.reports.tensorboard.TensorBoardLogger.pictures = toolbox.reports.tensorboard.NullLogger.pictures
toolbox.reports.run_files.write_pictures = lambda folder, logged, style: []
toolbox.runs.provenance.git_state = lambda folder=None: {"commit": None, "dirty": None}


def kill_after_saves(count: int) -> None:
    """End this process when the trainer has saved `count` times; it does so within epochs."""
    save, saves = trainer.save_checkpoint, []

    def counted(path: Path, state: dict) -> Path:
        saves.append(save(path, state))
        if len(saves) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return saves[-1]

    trainer.save_checkpoint = counted


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
        if "saves" in order:
            kill_after_saves(order["saves"])
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


def wait_for(pid: int, output: Path, text: str, start: int) -> int | None:
    """Wait until `text` is printed after the first `start` bytes; the exit status if the child ends before."""
    while (status := wait(pid, 0)) is None:
        if output.exists() and text.encode() in output.read_bytes()[start:]:
            return None
        time.sleep(0.002)
    return status


def launch(order: dict) -> dict:
    """Fork, wait, signal, and say how it ended."""
    begun, output = time.monotonic(), Path(order["output"])
    printed = output.stat().st_size if output.exists() else 0
    pid = os.fork()
    if pid == 0:
        child(order)
    status = None
    if "after" in order:
        status = wait_for(pid, output, order["after"], printed)
    if "kill" in order and status is None:
        until = (time.monotonic() if "after" in order else begun) + order["kill"]
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
