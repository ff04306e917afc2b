"""All that a run does, for the command line and for notebooks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from rich.console import Console

from digitcmp.data import mnist, pairs
from digitcmp.models import MODELS
from storage.backup import backup
from storage.lock import store_lock
from storage.queries import ModelResult, model_results
from storage.reader import open_reader
from storage.store import open_store
from storage.urls import artifact_folder, is_new, parse
from studies.board import Board
from studies.chain import check_protocol, run_chain
from studies.cluster import Cluster
from studies.connection import check_address
from studies.driver import Driver
from studies.errors import UsageError
from studies.estimates import Estimates
from studies.local import PER_CORE
from studies.plan import StagePlan, plan
from studies.progress import Progress
from studies.protocol import DEFAULT_STORAGE, Protocol
from studies.records import Data
from studies.wording import duration
from studies.worker import cores


@dataclass(frozen=True)
class Settings:
    """Where and how an experiment runs."""

    storage: str = DEFAULT_STORAGE
    experiment: str | None = None
    """Named by what differs from the paper's protocol where None."""
    protocol: Protocol = field(default_factory=Protocol)
    workers: int | None = None
    """Worker processes; one per core where None."""
    cluster: str | None = None
    """Address of a Dask scheduler; None for workers on this machine."""
    data_dir: Path | None = None
    artifact_dir: Path | None = None
    """Folder of the figures; beside the store where None."""

    def __post_init__(self) -> None:
        parse(self.storage)
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers must be at least 1, not {self.workers}")
        most = PER_CORE * cores()
        if self.workers is not None and self.workers > most:
            raise UsageError(f"workers must be at most {most} on this machine, not {self.workers}")
        if self.workers is not None and self.cluster is not None:
            raise UsageError("workers are started on this machine only: a cluster has its own")
        if self.cluster is not None:
            check_address(self.cluster)
        name = self.experiment
        if name is not None and not re.fullmatch(r"[A-Za-z0-9._+=,-]{1,100}", name):
            raise UsageError(
                f"{name!r} names no experiment: give up to 100 letters, digits "
                "or any of . _ + = , -"
            )

    @property
    def experiment_name(self) -> str:
        """The first part of the names of the studies."""
        return self.protocol.experiment if self.experiment is None else self.experiment


def run_models(models: Sequence[str], settings: Settings, console: Console) -> list[str]:
    """Run the chains of `models`, and return what failed, in sentences; nothing is the good case.

    Raises DataError, BadStoreURL, UsageError, StoreInUse, StoreError, ClusterLost: each with
    one clear sentence, and what was recorded till then stays.
    """
    # Optuna tells of each study and trial that it makes: the progress display does.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    experiment, protocol = settings.experiment_name, settings.protocol
    digits = pairs.pool(mnist.load(protocol.data, settings.data_dir))
    data = Data(protocol.data, digits.sha256)
    names = [f"{experiment}/{model}" for model in models]
    workers = settings.workers or cores()
    with (
        store_lock(settings.storage, names) as lock,
        Cluster(settings.cluster, workers, digits) as cluster,
    ):
        if settings.cluster is not None and is_new(settings.storage):
            # First, so that an address where nobody answers leaves no store behind.
            cluster.start()
        with open_store(settings.storage, lock) as store:
            check_protocol(store, experiment, protocol, data)
            times = Estimates(store.engine, workers)
            planned: set[str] = set()
            plans = [
                of_stage
                for model in models
                for of_stage in plan(
                    store.engine, experiment, model, protocol, data, times, planned
                )
            ]
            _announce(console, experiment, plans)
            expected = {each.stage.study_name: each.seconds for each in plans}
            board = Board(store, settings.artifact_dir or artifact_folder(settings.storage))
            with Progress(console, times, expected) as progress:
                driver = Driver(store, lock, cluster, data, progress, times, board=board)
                for model in models:
                    run_chain(driver, experiment, model, protocol)
                lock.check()
                board.close()
            backup(settings.storage)
    return driver.failed


def run_model(
    name: str, storage: str = DEFAULT_STORAGE, experiment: str | None = None, **protocol: object
) -> ModelResult:
    """Run the chain of one model, as `python -m studies.run` does, and return its results.

    `protocol` are fields of `Protocol`: `run_model("MLP", epochs=5, repeats=3)`.
    Raises KeyError for an unknown model, RuntimeError where cells failed or all reruns diverged,
    else as `run_models`.
    """
    MODELS[name]
    settings = Settings(storage, experiment, Protocol(**protocol))  # type: ignore[arg-type]
    failed = run_models([name], settings, Console(stderr=True))
    if failed:
        raise RuntimeError("; ".join(failed))
    reader = open_reader(storage)
    try:
        results = model_results(reader, settings.experiment_name, name)
    finally:
        reader.dispose()
    if not results:
        raise RuntimeError(f"all reruns of {name} diverged")
    return results[0]


def _announce(console: Console, experiment: str, plans: Sequence[StagePlan]) -> None:
    """Say what will be done."""
    trainings = sum(each.trainings for each in plans)
    recorded = sum(each.recorded for each in plans)
    models = len({each.stage.model for each in plans})
    text = (
        f"Experiment {experiment}: {models} model{'s' * (models > 1)}, {len(plans)} studies, "
        f"{trainings} trainings. "
    )
    if recorded == trainings:
        text += "All of them are recorded: nothing is left to train."
    else:
        text += (
            f"{recorded} of them are recorded already, or shared by two studies; "
            f"{trainings - recorded} are left to run, in about "
            f"{duration(sum(each.seconds for each in plans))}."
        )
    console.print(text, soft_wrap=True, highlight=False)
