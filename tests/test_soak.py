"""Longer tries, left out by default: python -m pytest -m soak. More kills stand beside the others in test_resume.py."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["test_malformed.py", "test_malformed_data.py"])
def test_soak_of_many_more_malformed_inputs(name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "tests" / name)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "SOAK": "8"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
