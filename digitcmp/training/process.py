"""Settings of a whole process that make trainings several times as fast."""

import ctypes

import torch


def tune_process() -> None:
    """Let this process train without denormals, and keep the memory that it frees.

    Adam's moments of units that died decay into denormals, which take a hundred times longer.
    Activations of megabytes are else mapped, zeroed and unmapped for each batch: half the time of
    a CNN. Dask's workers ask for the opposite through the environment.
    """
    torch.set_flush_denormal(True)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    trim_threshold, mmap_threshold = -1, -3
    # The most that glibc before 2.35 takes; the largest activation has 9 MB.
    mallopt(mmap_threshold, 32 << 20)
    mallopt(trim_threshold, 1 << 30)
