"""Puts assets/ and trained/, which lie beside the package, inside it in a wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithData(build_py):
    """Copies the data folders into the package that is being built."""

    def run(self) -> None:
        """Build as usual, then add the data."""
        super().run()
        if self.editable_mode:
            return  # a checkout finds them where they lie
        for name in ("assets", "trained"):
            target = Path(self.build_lib) / "resnet_viz" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("screenshots", "*.ckpt"))


setup(cmdclass={"build_py": BuildWithData})
