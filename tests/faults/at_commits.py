"""A small study whose driver kills itself just before or just after a commit of its choice."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.engine.default import DefaultDialect

from studies.experiment.definition import Experiment
from studies.experiment.study import GridStudy
from studies.experiment.training import Parameters
from studies.paper import experiment as paper
from studies.search.chain import open_study
from studies.search.rerun_weights import RerunWeights
from studies.workers import job
from studies.workers.cluster import Cluster
from studies.workers.hosts import Host
from tests.support.runs import Runs
from tests.support.standin import StandIn, StandInTraining

GRIDS = {
    "lr-batch": {"learning_rate": (5e-3, 1e-3), "batch_size": (8,)},
    "rerun": {"learning_rate": (1e-3,), "batch_size": (8,), "seed": (10,)},
}


class Learning(StandInTraining):
    """Gives the seed as what it learned."""

    def train(
        self, parameters: Parameters, seeds: Sequence[int], data: Any
    ) -> list[Mapping[str, Any]]:
        results = super().train(parameters, seeds, data)
        return [
            {**result, "weights": {"seed": np.array(seed)}}
            for seed, result in zip(seeds, results, strict=True)
        ]


class AtOnce(Cluster):
    """Does each job at once in the driver's own process, in place of a cluster.

    Every commit is the driver's, between jobs: workers would add seconds to each life, and nothing
    to what is tested here.
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(None, 1, experiment.models)
        self._done: list[tuple[Any, Any]] = []
        job._sent[self.key] = experiment.models, None

    def hosts(self) -> list[Host]:
        return [Host("here", 1)]

    def submit(self, host: str, function: Callable[..., Any], *arguments: Any) -> Any:
        job = object()
        self._done.append((job, function(*arguments)))
        return job

    def finished(self, seconds: float) -> list[tuple[Any, Any]]:
        done, self._done = self._done, []
        return done

    def cancel(self, futures: list[Any]) -> None:
        pass


def live(folder: Path, standin: StandIn, last: int) -> None:
    """Run a search and its reruns, till moment `last`: two are counted at each commit.

    Writes to `moments` how many there were.
    """
    moments = count(1)
    commit = DefaultDialect.do_commit

    def moment() -> None:
        number = next(moments)
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(dialect: DefaultDialect, connection: Any) -> None:
        moment()
        commit(dialect, connection)
        moment()

    DefaultDialect.do_commit = counted  # type: ignore[method-assign]
    experiment = replace(standin.experiment(epochs=2, repeats=2, reruns=1), name="toy")
    runs = Runs(f"sqlite:///{folder / 'studies.db'}", "")
    models = {"MLP": Learning(standin, "MLP", paper().training("MLP"))}
    experiment = replace(experiment, models=models, published={}, no_better=())
    with runs.driver(experiment, AtOnce(experiment)) as driver:
        driver.weights = RerunWeights(folder / "studies-artifacts")
        for name, grid in GRIDS.items():
            study = GridStudy(experiment, "MLP", name, grid)
            driver.run([driver.rounds(study, open_study(driver, study))])
    assert driver.failed == []
    (folder / "moments").write_text(str(next(moments) - 1))
