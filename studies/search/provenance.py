"""Where results come from: versions, commit, command, machine."""

import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from studies.display.words import without_password

PACKAGES = ("torch", "optuna", "numpy", "distributed", "sqlalchemy")


def provenance() -> dict[str, Any]:
    """Return the attributes of a study that say how it was made."""
    return {
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "machine": f"{platform.machine()} {platform.system()} {platform.node()}",
        "git_commit": _git_commit(),
        "command": shlex.join(map(without_password, ["python", *sys.orig_argv[1:]])),
    }


@cache
def _git_commit() -> str | None:
    """Return a checkout's commit, marked where files differ; None for an installed copy."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        tracked = ["git", "-C", str(folder), "ls-files", "--error-unmatch", __file__]
        subprocess.run(tracked, capture_output=True, check=True, timeout=5)
        described = subprocess.run(command, capture_output=True, check=True, timeout=5, text=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
