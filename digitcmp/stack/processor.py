"""What this machine's processor is good at."""

import platform
from functools import cache
from pathlib import Path

import torch


@cache
def matrix_products_lag() -> bool:
    """Whether matrix products use vectors half as wide as convolutions do.

    So it is on AMD's processors with AVX-512: MKL, which does the products, keeps to AVX2 there.
    """
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return False
    try:
        described = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        described = platform.processor()
    return "AuthenticAMD" in described
