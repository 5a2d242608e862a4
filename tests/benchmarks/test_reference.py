"""The predecessor's process has torch's own settings, none of ours; peak memory is of the training's own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PROGRAM = """
import os
import benchmarks
from benchmarks import reference
from toolbox.utils.process import THREAD_VARIABLES

def tell(pipe, arguments):
    pipe.send([name for name in THREAD_VARIABLES if name in os.environ])
    pipe.recv()

if __name__ == "__main__":
    reference._serve = tell
    with reference.Predecessor("cnn1d_3", "rows.csv") as predecessor:
        print(predecessor.count, [name in os.environ for name in THREAD_VARIABLES])
"""


def test_the_predecessor_inherits_no_tuning(tmp_path: Path) -> None:
    """Its process is spawned, which runs the main script again, and that sets processes up."""
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    environment = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    command = [sys.executable, str(script)]
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[] [True, True]", done.stderr
