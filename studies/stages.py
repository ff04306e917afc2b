"""The chain of studies of a model: lr-batch -> alpha -> rerun, joint -> rerun, or rerun alone."""

from dataclasses import dataclass, replace

from digitcmp.models import MODELS
from digitcmp.training import Hyperparameters
from studies.grid import Value
from studies.paper import PAPER, trained_as
from studies.protocol import ALPHAS, BATCH_SIZES, LEARNING_RATES, PUBLISHED, Protocol

JOINT = "joint"
RERUN = "rerun"


@dataclass(frozen=True)
class Cell:
    """What one trial stands for: trainings that differ in their seeds alone."""

    hyperparameters: Hyperparameters
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """One study of the chain."""

    experiment: str
    model: str
    name: str
    protocol: Protocol
    search_space: dict[str, list[Value]]
    """The grid. Every trial has all its hyper-parameters, also those that do not vary."""

    @property
    def study_name(self) -> str:
        """The name of the Optuna study."""
        return study_name(self.experiment, self.model, self.name)

    @property
    def is_rerun(self) -> bool:
        """Whether its trainings are measured fresh, each by itself with all cores."""
        return self.name == RERUN

    @property
    def is_race(self) -> bool:
        """Whether its cells may be given up."""
        return self.protocol.racing and not self.is_rerun

    @property
    def metric(self) -> str:
        """What its trials are told: the name of the study's objective."""
        if self.is_rerun:
            return "test accuracy"
        accuracy = f"{self.protocol.select_on} accuracy"
        return f"lower bound of {accuracy}" if self.protocol.rank_by == "lower-bound" else accuracy

    @property
    def trainings_per_cell(self) -> int:
        """How many trainings decide a trial."""
        return 1 if self.is_rerun else self.protocol.repeats

    def cell(self, parameters: dict[str, float]) -> Cell:
        """The trainings of the trial with these parameters."""
        alpha = parameters.get("alpha")
        chosen = Hyperparameters(parameters["learning_rate"], int(parameters["batch_size"]), alpha)
        if self.is_rerun:
            return Cell(chosen, (int(parameters["seed"]),))
        return Cell(chosen, tuple(self.protocol.repeat_seeds))

    def trained_as(self, chosen: Hyperparameters) -> tuple[str, Hyperparameters]:
        """Return what a worker trains for a cell: reruns their own, searches what they share."""
        if self.is_rerun:
            return self.model, chosen
        model, alpha = trained_as(self.model, chosen.alpha)
        return model, replace(chosen, alpha=alpha)


def study_name(experiment: str, model: str, stage: str) -> str:
    """The name of the Optuna study of a stage."""
    return f"{experiment}/{model}/{stage}"


def chain(model: str, protocol: Protocol) -> tuple[str, ...]:
    """The names of a model's stages, in order."""
    if protocol.search == PUBLISHED:
        return (RERUN,)
    if protocol.search == "joint":
        return (JOINT, RERUN)
    return ("lr-batch", "alpha", RERUN) if MODELS[model].auxiliary_loss else ("lr-batch", RERUN)


def start(model: str, protocol: Protocol) -> Hyperparameters | None:
    """What a model's first stage starts from: None, but for the paper's settings without search."""
    return published(model) if protocol.search == PUBLISHED else None


def published(model: str) -> Hyperparameters:
    """The paper's winner. Source: Table I."""
    table_1 = PAPER[model]
    return Hyperparameters(table_1.learning_rate, table_1.batch_size, table_1.alpha)


def make_stage(
    experiment: str, model: str, name: str, protocol: Protocol, winner: Hyperparameters | None
) -> Stage:
    """The stage called `name`; `winner` is what it starts from, None where it starts afresh."""
    space: dict[str, list[Value]]
    if winner is None:
        space = {"learning_rate": list(LEARNING_RATES), "batch_size": list(BATCH_SIZES)}
        alphas = list(ALPHAS) if name == JOINT else [float(protocol.stage1_alpha)]
    else:
        space = {"learning_rate": [winner.learning_rate], "batch_size": [winner.batch_size]}
        alphas = list(ALPHAS) if name == "alpha" or winner.alpha is None else [winner.alpha]
    if MODELS[model].auxiliary_loss:
        space["alpha"] = list(alphas)
    if name == RERUN:
        space["seed"] = list(protocol.rerun_seeds)
    return Stage(experiment, model, name, protocol, space)
