"""The section on convergence: the training loss of the reruns, epoch by epoch."""

import math
from collections.abc import Iterable, Iterator, Sequence

from studies.figures import loss_panels
from studies.report.page import Pictures, table
from studies.report.runs import ModelRun

UNSETTLED = 2.0
"""A training whose last loss is so many times its least one has not converged."""

Curve = Sequence[float]
"""Mean training loss of each epoch."""


def loss_curves_of(run: ModelRun) -> list[Curve]:
    """Return the loss curves of a model's reruns, as far as they are known."""
    return [training.loss_curve for training in run.rerun_trainings if training.loss_curve]


def same_trainings(runs: Iterable[ModelRun]) -> list[list[ModelRun]]:
    """Return the models whose reruns agree in every loss and value: one network under two names."""
    alike: dict[str, list[ModelRun]] = {}
    for run in runs:
        if curves := loss_curves_of(run):
            values = [(rerun.seed, rerun.value) for rerun in run.measured]
            alike.setdefault(f"{values} {curves}", []).append(run)
    return [models for models in alike.values() if len(models) > 1]


def is_unsettled(curve: Curve) -> bool:
    """Return whether a training ends above twice its least loss; of a negative one nobody knows."""
    finite = [loss for loss in curve if math.isfinite(loss)]
    return not finite or (min(finite) >= 0 and not curve[-1] <= UNSETTLED * min(finite))


def convergence_section(runs: Iterable[ModelRun], pictures: Pictures) -> Iterator[str]:
    """Yield the loss curves of all models, and how many reruns had not settled at the end."""
    curves = {run.model: loss_curves_of(run) for run in runs}
    curves = {model: of_model for model, of_model in curves.items() if of_model}
    if not curves:
        return
    yield "## Convergence"
    yield pictures.shown("Training loss of each rerun", "training-loss.png", loss_panels(curves))
    yield (
        f"Unsettled are reruns whose last loss is over {UNSETTLED:g} times their least one: more "
        "epochs, or a smaller learning rate, might still change them. Reruns whose loss still "
        "falls at the end are not among them. A loss has all its terms, each panel its own scale."
    )
    yield table(
        ("model", "reruns", "unsettled"),
        [
            (model, len(of_model), sum(map(is_unsettled, of_model)))
            for model, of_model in curves.items()
        ],
    )
