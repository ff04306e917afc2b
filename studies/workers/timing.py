"""Time a training again where others disturbed it."""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from studies.workers.disturbance import is_disturbed

Reply = Mapping[str, Any]
"""What a worker sends back of a training: the columns of `training_runs` that it measured, and the
`weights` of a rerun, see `studies.experiment.weights.Packed`."""

TIMINGS = 3
"""Times that a training is timed where others disturb it, the first one included."""

TIMED = ("train_seconds", "cpu_seconds", "disturbance", "started_at")
"""What is taken from the least disturbed timing; all else is the first one's."""


def undisturbed(
    replies: list[Reply], train: Callable[[], list[Reply]], objective: str
) -> list[Reply]:
    """Return the replies of a training, with the times of its least disturbed timing.

    `train` trains once more. It is called while others disturb what is timed, up to three timings
    in all, and never for a training that diverged. What it raises ends the timings.
    """
    for _ in range(TIMINGS - 1):
        if not all(_is_worth_another(reply, objective) for reply in replies):
            break
        try:
            again = train()
        except Exception:
            logging.getLogger("distributed.worker").warning("a timing failed", exc_info=True)
            break
        replies = _least_disturbed(replies, again)
    return replies


def _is_worth_another(reply: Reply, objective: str) -> bool:
    is_finite = math.isfinite(reply["numbers"][objective])
    return is_finite and is_disturbed(reply["disturbance"], reply["threads"])


def _least_disturbed(first: list[Reply], second: list[Reply]) -> list[Reply]:
    """Return the first replies, with the times of the second where these were disturbed less."""

    def share(replies: list[Reply]) -> float:
        known = replies[0]["disturbance"]
        # A timing of which nothing is known, such as one that was too short, is none to prefer.
        return math.inf if known is None else float(known)

    if share(second) >= share(first):
        return first
    return [
        {**reply, **{name: again[name] for name in TIMED}}
        for reply, again in zip(first, second, strict=True)
    ]
