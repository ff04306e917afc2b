"""The kind of processor that this process runs on."""

import platform
from functools import cache
from pathlib import Path

LONGEST = 200
"""Letters of a name that are kept."""


@cache
def processor(described: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return the processor's model name, None where the system does not tell."""
    try:
        name = model_name(described.read_text(errors="replace"))
    except OSError:
        name = ""
    text = " ".join((name or platform.processor()).split())
    return text[:LONGEST] or None


def model_name(described: str) -> str:
    """Return the first model name in a text like `/proc/cpuinfo`, empty where it has none."""
    for line in described.splitlines():
        key, _, value = line.partition(":")
        # ARM's processors often have no model name.
        if key.strip().lower() in ("model name", "hardware", "cpu model"):
            return value.strip()
    return ""
