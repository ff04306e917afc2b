"""Typed read of how the loss fell."""

import json
import math

from sqlalchemy import Engine, text

from storage.cells import TRIALS, attribute
from storage.errors import explained

_CURVES = f"""
with {TRIALS}
select r.loss_curve
from tried t join training_runs r
    on r.fingerprint = replace({attribute("fingerprint")}, '"', '')
where experiment = :experiment and t.model = :model and stage = 'rerun'
    and trial_state = 'COMPLETE'
order by r.seed
"""


def rerun_curves(engine: Engine, experiment: str, model: str) -> list[tuple[float, ...]]:
    """Return the mean training loss of each epoch, NaN where infinite, by rerun of the winner.

    Raises `StoreError`.
    """
    asked = {"experiment": experiment, "model": model}
    with explained(engine.url), engine.connect() as connection:
        stored = connection.execute(text(_CURVES), asked).scalars()
        return [
            tuple(math.nan if loss is None else loss for loss in json.loads(curve))
            for curve in stored
        ]
