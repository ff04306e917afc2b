"""Stores filled with results that are known beforehand, as a driver leaves them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from storage.schema import TrainingRun, record
from storage.store import Store

PROTOCOL: dict[str, Any] = {
    "epochs": 2, "repeats": 2, "reruns": 4, "data": "toy", "pairs": 1000, "data_sha256": "ab",
    "auxiliary": "softmax",
    "learning_rates": [0.005, 0.001], "batch_sizes": [8, 16], "alphas": [0.0, 0.5, 1.0],
}  # fmt: skip
WINNER = {"learning_rate": 0.001, "batch_size": 16, "alpha": 0.5}
NOISE = (0.005, -0.010, 0.0025, 0.0025)
"""Of a seed, for all models."""


@dataclass
class Filled:
    """Writes studies; a cell's accuracy falls with its distance from the winner."""

    store: Store
    experiment: str = "paper"
    protocol: dict[str, Any] = field(default_factory=lambda: dict(PROTOCOL))
    winner: Mapping[str, float] = field(default_factory=lambda: dict(WINNER))

    def model(
        self, model: str, accuracies: Sequence[float], seconds: float = 1.0, stop: str = ""
    ) -> None:
        """Write the chain of a model, up to before the stage `stop`; the reruns' accuracies."""
        has_alpha = "Aux" in model
        rates = {k: self.protocol[f"{k}s"] for k in ("learning_rate", "batch_size")}
        best = {k: [v] for k, v in self.winner.items() if has_alpha or k != "alpha"}
        alphas = {"alpha": self.protocol["alphas"]} if has_alpha else {}
        if self.protocol.get("search") == "published":
            stages: dict[str, Any] = {}
        elif self.protocol.get("search") == "joint":
            stages = {"joint": rates | alphas}
        else:
            stages = {"lr-batch": rates | ({"alpha": [0.0]} if has_alpha else {})}
            stages |= {"alpha": best | alphas} if has_alpha else {}
        seeds = [10 + i for i in range(len(accuracies))]
        for stage, space in (stages | {"rerun": best | {"seed": seeds}}).items():
            if stage == stop:
                return
            study = self._study(model, stage)
            for place, values in enumerate(product(*space.values())):
                chosen = dict(zip(space, values, strict=True))
                if stage == "rerun":
                    self._rerun(study, model, chosen, accuracies[place], seconds + place / 10)
                else:
                    self._cell(study, model, chosen)

    def _study(self, model: str, stage: str) -> optuna.Study:
        study = optuna.create_study(
            study_name=f"{self.experiment}/{model}/{stage}",
            storage=self.store.optuna,
            direction="maximize",
        )
        for key, value in {
            "experiment": self.experiment, "model": model, "stage": stage, "parameters": 1234,
            "guessing": 0.6,
            "protocol": self.protocol, "data": "toy:ab", "versions": {"python": "3.11"},
            "machine": "x86_64 <i>|here", "git_commit": "c0ffee",
        }.items():  # fmt: skip
            study.set_user_attr(key, value)
        return study

    def _cell(self, study: optuna.Study, model: str, chosen: Mapping[str, float]) -> None:
        away = sum(chosen[name] != value for name, value in self.winner.items() if name in chosen)
        values = [0.9 - 0.01 * away + 0.001 * seed for seed in range(self.protocol["repeats"])]
        runs = [
            self.training(model, chosen, seed, accuracy) for seed, accuracy in enumerate(values)
        ]
        record(self.store.engine, runs)
        self._add(study, chosen, sum(values) / len(values), values, {"score": sum(values)})

    def _rerun(
        self, study: optuna.Study, model: str, chosen: Mapping[str, float], accuracy: float,
        seconds: float,
    ) -> None:  # fmt: skip
        run = self.training(model, chosen, int(chosen["seed"]), accuracy, self.experiment)
        record(self.store.engine, [run])
        known = {"train_seconds": seconds, "fingerprint": run.fingerprint}
        self._add(study, chosen, accuracy, [0.7, 0.6], known)

    def training(
        self, model: str, chosen: Mapping[str, float], seed: int, accuracy: float, study: str = ""
    ) -> TrainingRun:
        rates = (chosen["learning_rate"], int(chosen["batch_size"]), chosen.get("alpha"))
        epochs = self.protocol["epochs"]
        auxiliary = self.protocol["auxiliary"] if chosen.get("alpha") else None
        return TrainingRun(
            f"{model}{rates}{auxiliary}{seed}{epochs}{study}", model, *rates, seed, epochs,
            "toy:ab", "ok", accuracy, 0.5, 1.5, 2.5, 1, (0.7, 0.6), "host",
            "2026-01-02T03:04:05+00:00", auxiliary,
        )  # fmt: skip

    @staticmethod
    def _add(
        study: optuna.Study, chosen: Mapping[str, float], value: float,
        values: Sequence[float], attributes: dict[str, Any],
    ) -> None:  # fmt: skip
        kinds = {
            name: IntDistribution(1, 1024) if isinstance(each, int) else FloatDistribution(0, 1)
            for name, each in chosen.items()
        }
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE, params=dict(chosen), distributions=kinds, value=value,
                intermediate_values=dict(enumerate(values)), user_attrs=attributes,
            )
        )  # fmt: skip


def around(mean: float, scale: float = 1.0) -> list[float]:
    """Accuracies of four reruns with this mean: the seeds' noise is that of all models."""
    return [mean + scale * noise for noise in NOISE]


def family(filled: Filled) -> None:
    """The MLPs: sharing gives 0.030, the auxiliary loss 0.050, both 0.090; Aux takes twice as
    long, Siamese and Auxsiamese as long as plain."""
    filled.model("MLP", around(0.80))
    filled.model("SiameseMLP", around(0.83, 1.1))
    filled.model("AuxMLP", around(0.85, 0.9), seconds=2.15)
    filled.model("AuxsiameseMLP", around(0.89, 1.2))
