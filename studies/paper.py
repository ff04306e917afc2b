"""The paper's experiment: its twelve models, grids, Table I and Fig. 3."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from digitcmp.models import MODELS, VARIANTS, ModelSpec, build
from studies.display.errors import UsageError
from studies.experiment.checks import MOST
from studies.experiment.definition import Experiment, Published
from studies.experiment.options import ExperimentFunction
from studies.experiment.source import source_code
from studies.experiment.stage import Stage
from studies.experiment.training import Parameters, Training, Value

if TYPE_CHECKING:
    from torch import nn

    from digitcmp.data.pairs import PooledDigits
    from digitcmp.networks import Architecture

PAIRS = 1000
"""Pairs that a seed draws for training, and as many for validation and test."""

STAGES = (
    Stage("lr-batch", learning_rate=[5e-3, 1e-3, 5e-4, 1e-4], batch_size=[8, 16, 32, 64, 128]),
    Stage("alpha", alpha=[tenth / 10 for tenth in range(11)]),
)
"""Source: the paper's section on hyper-parameter search."""

GUESSING = 0.6
"""Accuracy up to which a training has learned nothing: it is no better than guessing.

Always giving the more frequent answer, "first digit <= second digit", is right for 55% of pairs,
and 1,000 test pairs move that by 1.6 points; this is three times as much above it. Of our first
4,480 published trainings of searches at learning rates from 5e-4, 22 end between 0.528 and 0.574,
and none between there and 0.636. At 1e-4 slow networks have not learned anything yet, either."""

TABLE_I = {
    "MLP": (5e-4, 8, None, 0.813, 0.006, 8.386, 0.395),
    "SiameseMLP": (5e-3, 8, None, 0.847, 0.012, 11.090, 0.619),
    "AuxMLP": (5e-3, 16, 0.9, 0.856, 0.011, 7.304, 0.377),
    "AuxsiameseMLP": (5e-3, 8, 0.7, 0.873, 0.015, 11.222, 0.601),
    "CNN": (5e-4, 16, None, 0.822, 0.010, 10.222, 0.533),
    "SiameseCNN": (1e-3, 16, None, 0.854, 0.007, 15.610, 0.626),
    "AuxCNN": (5e-4, 8, 1.0, 0.865, 0.011, 34.437, 1.419),
    "AuxsiameseCNN": (5e-3, 32, 0.6, 0.905, 0.014, 10.415, 0.513),
    "ResNet": (1e-3, 16, None, 0.840, 0.014, 56.378, 0.971),
    "SiameseResNet": (1e-3, 16, None, 0.878, 0.009, 102.985, 1.366),
    "AuxResNet": (1e-3, 64, 0.7, 0.866, 0.019, 131.947, 4.006),
    "AuxsiameseResNet": (1e-3, 16, 0.8, 0.911, 0.017, 102.064, 1.599),
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
        from digitcmp.training import Hyperparameters, settle, train

        settle()
        chosen = Hyperparameters(
            float(parameters["learning_rate"]),
            int(parameters["batch_size"]),
            parameters.get("alpha"),  # type: ignore[arg-type]
            float(parameters.get("weight_decay", 0.0)),
        )
        results = train(self.build, chosen, data, seeds, self.epochs, self.auxiliary)
        return [
            {
                "accuracy": result.accuracy,
                "validation": result.validation_accuracy,
                "loss_curve": result.loss_curve,
                "train_seconds": result.train_seconds,
                "cpu_seconds": result.cpu_seconds,
            }
            for result in results
        ]

    def seeds_at_once(self, parameters: Parameters) -> int:
        """Return how many networks gain from a stack."""
        return self.spec.networks_at_once(int(parameters["batch_size"]))

    def cost(self, parameters: Parameters) -> float:
        """Return what a training takes: all see the same pairs, some in more steps."""
        return 1 + 16 / int(parameters["batch_size"])

    def settings(self, parameters: Parameters) -> Mapping[str, int | str | None]:
        """Return epochs and what the auxiliary loss is made of, where it has a weight."""
        return {
            "epochs": self.epochs,
            "auxiliary": self.auxiliary if parameters.get("alpha") else None,
        }

    def recorded_as(self, model: str, parameters: Parameters) -> tuple[str, Parameters]:
        """Return the Siamese model for an Auxsiamese one at alpha 0: they are the same to the bit.

        Without a weight decay there may as well be none.
        """
        shared = {k: v for k, v in parameters.items() if (k, v) != ("weight_decay", 0.0)}
        if shared.get("alpha") == 0 and self.spec.weight_sharing:
            del shared["alpha"]
            return f"Siamese{self.spec.architecture}", shared
        return model, shared

    def identity(
        self, model: str, parameters: Parameters, data_sha256: str | None
    ) -> Mapping[str, Any]:
        """Return what the first version of this program hashed, so that its trainings count."""
        settings = self.settings(parameters)
        if settings["auxiliary"] != "softmax":
            # The other one, and none, are what older trainings had.
            settings = {"epochs": self.epochs}
        method = self.spec.method
        known = {"model": model, "pairs": PAIRS, "data": data_sha256, "method": method}
        return {"alpha": None, **parameters, **settings, **known}


def _experiment(
    epochs: Annotated[int, "Epochs of a training."] = 25,
    repeats: Annotated[int, "Trainings per cell."] = Experiment.repeats,
    reruns: Annotated[int, "Fresh trainings of a winner."] = Experiment.reruns,
    data: Annotated[Literal["mnist-sample", "mnist"], "Which digits."] = "mnist-sample",
    auxiliary: Annotated[
        Literal["softmax", "logits"], "What the auxiliary loss is made of."
    ] = "softmax",
    stage1_alpha: Annotated[float, "Weight of the auxiliary loss in the first stage."] = 0.0,
    select_on: Annotated[Literal["test", "validation"], "Pairs on which cells compete."] = "test",
    search: Annotated[
        Literal["stages", "joint", "published"],
        "Two grids, one grid, or none: rerun the winners of the paper's Table I.",
    ] = "stages",
    rank_by: Annotated[Literal["mean", "lower-bound"], "What makes a cell the best."] = "mean",
    racing: Annotated[bool, "Give up cells that can hardly win any more."] = False,
    data_dir: Annotated[Path | None, "Folder with the four IDX files of mnist."] = None,
) -> Experiment:
    if not 1 <= epochs <= MOST:
        raise UsageError(f"epochs must be from 1 to {MOST}, not {epochs}")
    if not 0 <= stage1_alpha < float("inf"):
        raise UsageError(f"stage1-alpha must be a number from 0, not {stage1_alpha}")
    if search != "stages" and stage1_alpha != 0:
        raise UsageError("stage1-alpha has no meaning where no first stage is searched")
    first = Stage("lr-batch", **STAGES[0].grid, alpha=[float(stage1_alpha)])
    settings: dict[str, Value] = {
        "epochs": epochs,
        "auxiliary": auxiliary,
        "data": data,
        "pairs": PAIRS,
    }
    if search == "stages":
        settings["stage1_alpha"] = float(stage1_alpha)
    return Experiment(
        name="paper",
        models={
            name: PairTraining(partial(build, name), spec, epochs, auxiliary)
            for name, spec in MODELS.items()
        },
        stages=(first, STAGES[1]),
        repeats=repeats, reruns=reruns, select_on=select_on, search=search, rank_by=rank_by,
        racing=racing,
        data=partial(_digits, data, data_dir),
        settings=settings,
        **_differences(MODELS),
        published={model: _published(*row) for model, row in TABLE_I.items()},
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
    """Ask the paper's question of another architecture: plain, Siamese, Aux and Auxsiamese.

    `architecture(pair)` returns a trunk and a head, any `nn.Module`s: for a pair, `(B, 2, 14, 14)`,
    two units that compare it, for one image, `(B, 1, 14, 14)`, ten that describe it. They are
    trained under the paper's protocol, into its experiment. `version` stands for the code of an
    architecture whose source cannot be read. Raises UsageError.
    """
    if any(prefix + name in MODELS for prefix in VARIANTS):
        raise UsageError(f"{name} is one of the paper's own models: choose another name")
    code = version or source_code(name, architecture)
    return paper.changed(partial(_variants, name, architecture, code))


def _variants(name: str, architecture: "Architecture", code: str, paper: Experiment) -> Experiment:
    from digitcmp.networks import assemble

    specs, models = {}, {}
    for prefix, (sharing, has_auxiliary) in VARIANTS.items():
        make = partial(assemble, architecture, sharing or has_auxiliary, sharing)
        count = sum(parameter.numel() for parameter in make().parameters())
        model = prefix + name
        specs[model] = ModelSpec(model, name, sharing, has_auxiliary, count, code)
        settings = int(paper.settings["epochs"]), str(paper.settings["auxiliary"])
        models[model] = PairTraining(make, specs[model], *settings)
    return replace(paper, models=models, published={}, no_better=(), **_differences(specs))


def _differences(specs: Mapping[str, ModelSpec]) -> dict[str, Any]:
    """Return what tells the models apart: the parameters that they lack, and their factors."""
    return {
        "without": {name: ("alpha",) for name, spec in specs.items() if not spec.auxiliary_loss},
        "factors": {
            name: {
                "architecture": spec.architecture,
                "weight sharing": spec.weight_sharing,
                "auxiliary loss": spec.auxiliary_loss,
            }
            for name, spec in specs.items()
        },
    }


def _published(rate: float, size: int, alpha: float | None, *measured: float) -> Published:
    parameters: dict[str, Value] = {"learning_rate": rate, "batch_size": size}
    if alpha is not None:
        parameters["alpha"] = alpha
    mean, deviation, seconds, seconds_deviation = measured
    return Published(parameters, mean, deviation, seconds, seconds_deviation)


def _digits(name: str, folder: Path | None) -> "PooledDigits":
    from digitcmp.data import mnist, pairs

    return pairs.pool(mnist.load(name, None if folder is None else Path(folder)))
