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


def undisturbed(reply: Reply, train: Callable[[], Reply], objective: str) -> Reply:
    """Return the reply of a training, with the times of its least disturbed timing.

    `train` trains once more. It is called while others disturb what is timed, up to three timings
    in all, and never for a training that diverged. What it raises ends the timings.
    """
    for _ in range(TIMINGS - 1):
        if not _is_worth_another(reply, objective):
            break
        try:
            again = train()
        except Exception:
            logging.getLogger("distributed.worker").warning("a timing failed", exc_info=True)
            break
        if _share(again) < _share(reply):
            reply = {**reply, **{name: again[name] for name in TIMED}}
    return reply


def _is_worth_another(reply: Reply, objective: str) -> bool:
    is_finite = math.isfinite(reply["numbers"][objective])
    return is_finite and is_disturbed(reply["disturbance"], reply["threads"])


def _share(reply: Reply) -> float:
    # A timing of which nothing is known, such as one that was too short, is none to prefer.
    known = reply["disturbance"]
    return math.inf if known is None else float(known)
