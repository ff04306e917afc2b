"""The loss curves of reruns."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from storage.curves import rerun_curves
from storage.schema import TrainingRun, record
from storage.store import Store


def test_those_of_a_models_reruns_come_in_the_order_of_seeds(
    store: Store, search: Callable[..., Any], run: TrainingRun
) -> None:
    curves = {"b": (11, (0.7, 0.5)), "c": (10, (0.6, math.nan)), "d": (12, (0.1, 0.1))}
    record(
        store.engine,
        [
            dataclasses.replace(run, fingerprint=print_, seed=seed, loss_curve=curve)
            for print_, (seed, curve) in curves.items()
        ],
    )
    rerun = search(store, "paper/MLP/rerun")
    for fingerprint in ("b", "c"):
        rerun.add(1e-3, 8, seed=curves[fingerprint][0], values=[0.8], fingerprint=fingerprint)
    search(store, "other/MLP/rerun").add(1e-3, 8, seed=12, values=[0.8], fingerprint="d")
    first, second = rerun_curves(store.engine, "paper", "MLP")
    assert first[0] == 0.6 and math.isnan(first[1])
    assert second == (0.7, 0.5)
