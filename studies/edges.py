"""Winners on the edge of their grid, beyond which a better one may lie."""

from collections.abc import Iterator, Mapping, Sequence

from storage.queries import GridCell


def edges(space: Mapping[str, Sequence[float]], best: GridCell) -> Iterator[str]:
    """Say of each parameter whose last value the best cell has, that it is the last one."""
    for name, values in space.items():
        value = getattr(best, name)
        if len(values) > 1 and value == max(values):
            yield f"{name} {value:g} is the largest"
        # Nothing lies beyond an alpha of zero.
        elif len(values) > 1 and value == min(values) > 0:
            yield f"{name} {value:g} is the smallest"
