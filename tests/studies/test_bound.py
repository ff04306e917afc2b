"""Files of the working directory that are called like our packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studies.bound import FOLDER


@pytest.mark.parametrize("name", ["digitcmp", "storage"])
def test_no_file_stands_in_for_our_packages(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise ImportError('not this one')")
    done = subprocess.run(
        # As `python -m` does, `-c` looks in the working directory first.
        [sys.executable, "-c", f"import studies.paper, {name}; print({name}.__file__)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == str(FOLDER / name / "__init__.py"), done.stderr
