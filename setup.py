"""Builds the wheel: one package `pytorch_ecg` that holds the checkout's modules, with imports of that name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pytorch_ecg.checkout import PACKAGE, ROOT, project_files, rewritten


class BuildPackage(build_py):
    """Copies each file of the project into the package, Python files with rewritten imports."""

    def run(self) -> None:
        """Build into a fresh folder: a file that was removed must not come along."""
        if self.editable_mode:  # the checkout is read where it stands
            super().run()
            return
        package = Path(self.build_lib) / PACKAGE
        shutil.rmtree(package, ignore_errors=True)
        super().run()
        (package / "checkout.py").unlink()
        for path in project_files():
            content = (ROOT / path).read_bytes()
            target = package / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(rewritten(content, str(path)) if path.suffix == ".py" else content)


setup(cmdclass={"build_py": BuildPackage})
