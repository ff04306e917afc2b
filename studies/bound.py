"""The packages of this program, bound to the folder in which all of them lie, and their cache."""

import os
import sys
from importlib import import_module
from pathlib import Path

from platformdirs import user_cache_path

FOLDER = Path(__file__).parents[1]

PACKAGES = ("digitcmp", "storage", "studies")

# `python -m` looks in the working directory first, whose files must not stand in for these.
sys.path.insert(0, str(FOLDER))
for package in PACKAGES:
    import_module(package)
sys.path.remove(str(FOLDER))


def cache_folder() -> Path:
    """Return the folder for what can be made again: `DIGITCMP_CACHE` or the user's."""
    return Path(os.environ.get("DIGITCMP_CACHE") or user_cache_path("digitcmp"))
