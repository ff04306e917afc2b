"""What decides results beside the trainings: versions and code, of which a driver has the right."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from studies.bound import FOLDER, PACKAGES

LIBRARIES = ("torch", "numpy")

Versions = Mapping[str, str]
"""By the name of what has them."""


@cache
def versions() -> Versions:
    """Return what this process trains with.

    A library's build does not count, such as torch's for processors ("+cpu"). Code does as it lies
    on disk when a process first asks, which is when it loads.
    """
    code = hashlib.sha256()
    for path in sorted(path for name in PACKAGES for path in (FOLDER / name).rglob("*.py")):
        # As text, whose lines end alike on every system.
        content = path.read_text(encoding="utf-8")
        code.update(f"{path.relative_to(FOLDER).as_posix()}\0{content}\0".encode())
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        **{name: version(name).partition("+")[0] for name in LIBRARIES},
        "code of this package": code.hexdigest()[:8],
    }


def difference(wanted: Versions) -> str | None:
    """Return in words how this process differs from what is wanted, None where it does not."""
    here = versions()
    others = [name for name in here if here[name] != wanted[name]]
    if not others:
        return None
    parts = "; ".join(f"{name} {here[name]}, not {wanted[name]}" for name in others)
    return f"it has {parts}: install there what the driver has"
