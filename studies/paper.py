"""The paper's experiment: its twelve models, grids, Table I and Fig. 3."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from digitcmp.models import CONTROLS, MODELS, UNSHARED, VARIANTS, ModelSpec, build
from studies.display.errors import UsageError
from studies.experiment.beyond import Beyond
from studies.experiment.definition import (
    Experiment,
    Extend,
    Margin,
    Published,
    Racing,
    RankBy,
    Repeats,
    Reruns,
    Search,
    Settle,
)
from studies.experiment.options import ExperimentFunction
from studies.experiment.source import source_code
from studies.experiment.stage import MOST, Stage
from studies.experiment.training import Parameters, Training, Value

if TYPE_CHECKING:
    from torch import nn

    from digitcmp.comparer import Comparer
    from digitcmp.data.pairs import PooledDigits
    from digitcmp.networks import Architecture

EPOCHS = 25

PAIRS = 1000
"""Pairs that a seed draws for training, and as many for validation and test."""

STAGES = (
    Stage(
        "lr-batch", learning_rate=[5e-3, 1e-3, 5e-4, 1e-4], batch_size=[8, 16, 32, 64, 128],
        beyond={"batch_size": Beyond(factor=2, least=1, most=PAIRS)},
    ),
    Stage("alpha", alpha=[tenth / 10 for tenth in range(11)], beyond={"alpha": Beyond(step=0.1)}),
)  # fmt: skip
"""Source: the paper's section on hyper-parameter search. How it goes on is ours: the learning rate
as its own values do, 1e-2, 5e-2, ... and 5e-5, 1e-5, ...; alpha by 0.1, not below 0."""

GUESSING = 0.6
"""Accuracy up to which a training has learned nothing: it is no better than guessing.

Always giving the more frequent answer, "first digit <= second digit", is right for 55% of pairs,
and 1,000 test pairs move that by 1.6 points; this is three times as much above it. Counts among
our own trainings: docs/search.md."""


def _row(
    rate: float, size: int, alpha: float | None, mean: float, deviation: float, seconds: float,
    seconds_deviation: float,
) -> Published:  # fmt: skip
    known = {"learning_rate": rate, "batch_size": size, "alpha": alpha}
    parameters = {name: value for name, value in known.items() if value is not None}
    return Published(parameters, mean, deviation, seconds, seconds_deviation)


TABLE_I = {
    "MLP": _row(5e-4, 8, None, 0.813, 0.006, 8.386, 0.395),
    "SiameseMLP": _row(5e-3, 8, None, 0.847, 0.012, 11.090, 0.619),
    "AuxMLP": _row(5e-3, 16, 0.9, 0.856, 0.011, 7.304, 0.377),
    "AuxsiameseMLP": _row(5e-3, 8, 0.7, 0.873, 0.015, 11.222, 0.601),
    "CNN": _row(5e-4, 16, None, 0.822, 0.010, 10.222, 0.533),
    "SiameseCNN": _row(1e-3, 16, None, 0.854, 0.007, 15.610, 0.626),
    "AuxCNN": _row(5e-4, 8, 1.0, 0.865, 0.011, 34.437, 1.419),
    "AuxsiameseCNN": _row(5e-3, 32, 0.6, 0.905, 0.014, 10.415, 0.513),
    "ResNet": _row(1e-3, 16, None, 0.840, 0.014, 56.378, 0.971),
    "SiameseResNet": _row(1e-3, 16, None, 0.878, 0.009, 102.985, 1.366),
    "AuxResNet": _row(1e-3, 64, 0.7, 0.866, 0.019, 131.947, 4.006),
    "AuxsiameseResNet": _row(1e-3, 16, 0.8, 0.911, 0.017, 102.064, 1.599),
}
"""Learning rate, batch size, alpha; accuracy, CPU training seconds, each with its deviation.
Source: Table I (settings), Fig. 3 (accuracy, seconds)."""


@dataclass(frozen=True)
class PairTraining(Training):
    """Trains a network that compares pairs of digits."""

    build: "Callable[[], nn.Module]"
    spec: ModelSpec
    epochs: int
    auxiliary: str

    has_torch_threads = True

    @property
    def code(self) -> str:  # type: ignore[override]
        """What stands for its code."""
        return str(self.spec.method)

    @property
    def parameter_count(self) -> int:  # type: ignore[override]
        """Trainable parameters."""
        return self.spec.parameters

    def check(self, grid: Mapping[str, Sequence[Value]]) -> None:
        """Raise UsageError for parameters that networks do not have, and values out of range."""
        for name, values in grid.items():
            if name not in ("learning_rate", "batch_size", "alpha", "weight_decay"):
                raise UsageError(f"networks that compare pairs have no parameter {name}")
            for value in values:
                if isinstance(value, str) or value < 0:
                    raise UsageError(f"{name} must be a number from 0, not {value}")
                if name == "batch_size" and not (isinstance(value, int) and value):
                    raise UsageError(f"{name} must be a whole number from 1, not {value}")

    def train(
        self, parameters: Parameters, seeds: Sequence[int], data: "PooledDigits"
    ) -> list[Mapping[str, Any]]:
        """Train a network per seed; see `digitcmp.training.train`."""
        from digitcmp.training import Hyperparameters, train, tune_process

        tune_process()
        chosen: dict[str, Any] = {"alpha": None, **parameters}
        cell = Hyperparameters(**chosen)
        results = train(self.build, cell, data, seeds, self.epochs, self.auxiliary)
        return [
            {
                "accuracy": result.accuracy,
                "validation": result.validation_accuracy,
                "loss_curve": result.loss_curve,
                "train_seconds": result.train_seconds,
                "cpu_seconds": result.cpu_seconds,
                "weights": result.weights,
            }
            for result in results
        ]

    def network(self, parameters: Parameters, weights: Mapping[str, Any]) -> "Comparer":
        """Return the trained network, which compares images as they come."""
        from digitcmp.comparer import Comparer

        return Comparer(self.build(), weights)

    def seeds_at_once(self, parameters: Parameters) -> int:
        """Return how many networks gain from a stack."""
        return self.spec.networks_at_once(int(parameters["batch_size"]))

    def cost(self, parameters: Parameters) -> float:
        """Return how long a training takes, in any unit: it depends on the batch size."""
        return self.spec.cost(int(parameters["batch_size"]))

    def shortened(self) -> tuple[Training, float]:
        """Return this training with one epoch, and how many times as long the whole one takes."""
        return replace(self, epochs=1), self.epochs

    def settings(self, parameters: Parameters) -> Mapping[str, int | str | None]:
        """Return epochs and what the auxiliary loss is made of, where it has a weight."""
        auxiliary = self.auxiliary if parameters.get("alpha") else None
        return {"epochs": self.epochs, "auxiliary": auxiliary}

    def recorded_as(self, model: str, parameters: Parameters) -> tuple[str, Parameters]:
        """Return the Siamese model for an Auxsiamese one at alpha 0: they are the same to the bit.

        A control is the Aux model at alpha 0. A weight decay of 0 is left out: it changes nothing.
        """
        shared = {k: v for k, v in parameters.items() if (k, v) != ("weight_decay", 0.0)}
        if self.spec.is_control:
            return f"Aux{self.spec.architecture}", {**shared, "alpha": 0.0}
        if shared.get("alpha") == 0 and self.spec.weight_sharing:
            del shared["alpha"]
            return f"Siamese{self.spec.architecture}", shared
        return model, shared

    def identity(
        self, model: str, parameters: Parameters, data_sha256: str | None
    ) -> Mapping[str, Any]:
        """Return what the first version of this program hashed, so that its trainings count."""
        # Older trainings had the loss of `logits`, or none.
        is_new = self.settings(parameters)["auxiliary"] == "softmax"
        return {
            **{"alpha": None, **parameters, "epochs": self.epochs},
            **({"auxiliary": "softmax"} if is_new else {}),
            **{"model": model, "method": self.spec.method, "pairs": PAIRS, "data": data_sha256},
        }


def _experiment(
    epochs: Annotated[int, "Epochs of a training."] = EPOCHS,
    repeats: Repeats = Experiment.repeats,
    reruns: Reruns = Experiment.reruns,
    data: Annotated[Literal["mnist-sample", "mnist"], "Which digits."] = "mnist-sample",
    auxiliary: Annotated[
        Literal["softmax", "logits"], "What the auxiliary loss is made of."
    ] = "softmax",
    stage1_alpha: Annotated[float, "Weight of the auxiliary loss in the first stage."] = 0.0,
    split: Annotated[
        Literal["fixed", "by-seed"], "Whether each seed tests on other images."
    ] = "fixed",
    select_on: Annotated[Literal["test", "validation"], "Pairs on which cells compete."] = "test",
    search: Annotated[
        Search, "Two grids, one grid, or none: rerun the winners of the paper's Table I."
    ] = Experiment.search,
    rank_by: RankBy = Experiment.rank_by,
    racing: Racing = Experiment.racing,
    extend: Extend = Experiment.extend,
    settle: Settle = Experiment.settle,
    margin: Margin = Experiment.margin,
    data_dir: Annotated[Path | None, "Folder with the four IDX files of mnist."] = None,
) -> Experiment:
    if not 1 <= epochs <= MOST:
        raise UsageError(f"epochs must be from 1 to {MOST}, not {epochs}")
    if not 0 <= stage1_alpha < float("inf"):
        raise UsageError(f"stage1-alpha must be a number from 0, not {stage1_alpha}")
    if search != "stages" and stage1_alpha != 0:
        raise UsageError("stage1-alpha has no meaning where no first stage is searched")
    first = STAGES[0].with_grid({**STAGES[0].grid, "alpha": [float(stage1_alpha)]})
    settings: dict[str, Value] = {
        "epochs": epochs, "auxiliary": auxiliary, "data": data, "pairs": PAIRS,
    }  # fmt: skip
    if split != "fixed":
        settings["split"] = split
    if search == "stages":
        settings["stage1_alpha"] = float(stage1_alpha)
    trainings = [
        PairTraining(partial(build, name), spec, epochs, auxiliary)
        for name, spec in (MODELS if search == "published" else MODELS | CONTROLS).items()
    ]
    return Experiment(
        name="paper",
        **_compared(trainings),
        stages=(first, STAGES[1]),
        repeats=repeats, reruns=reruns, select_on=select_on, search=search, rank_by=rank_by,
        racing=racing, extend=extend, settle=settle, margin=margin,
        data=partial(_digits, data, data_dir, split),
        settings=settings,
        published=TABLE_I,
        published_with={"epochs": EPOCHS},
        no_better=(("AuxsiameseCNN", "AuxsiameseResNet"),),
        guessing=GUESSING,
        older={"auxiliary": "logits"},
    )  # fmt: skip


experiment = ExperimentFunction(_experiment)


def variants_of(
    name: str,
    architecture: "Architecture",
    paper: ExperimentFunction = experiment,
    version: str | None = None,
) -> ExperimentFunction:
    """Return the paper's experiment with another architecture: its four variants and their control.

    `architecture(pair)` returns a trunk and a head, any `nn.Module`s: for a pair, `(B, 2, 14, 14)`,
    two units that compare it, for one image, `(B, 1, 14, 14)`, ten that describe it. They are
    trained under the paper's protocol, into its experiment. `version` stands for the code of an
    architecture whose source cannot be read. Raises UsageError.
    """
    if any(prefix + name in MODELS | CONTROLS for prefix in (*VARIANTS, UNSHARED)):
        raise UsageError(f"{name} is one of the paper's own models: choose another name")
    code = version or source_code(name, architecture)
    return paper.changed(partial(_variants, name, architecture, code))


def _variants(name: str, architecture: "Architecture", code: str, paper: Experiment) -> Experiment:
    from digitcmp.networks import assemble

    epochs, auxiliary = int(paper.settings["epochs"]), str(paper.settings["auxiliary"])
    trainings = []
    controls = {UNSHARED: (True, False, False)}
    for prefix, (two_branches, sharing, has_auxiliary) in (VARIANTS | controls).items():
        make = partial(assemble, architecture, two_branches, sharing)
        count = sum(parameter.numel() for parameter in make().parameters())
        spec = ModelSpec(prefix + name, name, two_branches, sharing, has_auxiliary, count, code)
        trainings.append(PairTraining(make, spec, epochs, auxiliary))
    return replace(paper, published={}, no_better=(), **_compared(trainings))


def _compared(trainings: Sequence[PairTraining]) -> dict[str, Any]:
    """Return the fields of an experiment that compares models: themselves, and how they differ."""
    specs = {training.spec.name: training.spec for training in trainings}
    return {
        "models": dict(zip(specs, trainings, strict=True)),
        "without": {name: ("alpha",) for name, spec in specs.items() if not spec.auxiliary_loss},
        "factors": {
            name: {
                "architecture": spec.architecture,
                "two branches": spec.two_branches,
                "weight sharing": spec.weight_sharing,
                "auxiliary loss": spec.auxiliary_loss,
            }
            for name, spec in specs.items()
        },
    }


def _digits(name: str, folder: Path | None, split: str) -> "PooledDigits":
    from digitcmp.data import mnist, pairs

    digits = mnist.load(name, None if folder is None else Path(folder))
    return pairs.pool(digits, is_split_by_seed=split == "by-seed")
