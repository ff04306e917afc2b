"""Run an experiment: lock and open its store, start its workers, complete its chains."""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from rich.console import Console

from storage.backup import backup
from storage.lock import store_lock
from storage.store import open_store
from storage.trainings import declare
from storage.urls import DEFAULT_STORAGE, absolute, artifact_folder, is_new
from studies.dashboard.notes import Board
from studies.display.errors import UsageError
from studies.display.progress import Progress
from studies.display.words import duration
from studies.experiment.definition import Experiment
from studies.search.chain import run_chains
from studies.search.driver import Driver
from studies.search.plan import Durations, StudyPlan, plan
from studies.search.protocol import check_protocol
from studies.search.provenance import Data
from studies.search.rerun_weights import RerunWeights
from studies.workers.cluster import Cluster
from studies.workers.connection import check_address
from studies.workers.job import cores
from studies.workers.local import PER_CORE


@dataclass(frozen=True)
class Settings:
    """Where an experiment runs, paths made absolute. Raises UsageError and BadStoreURL."""

    storage: str = DEFAULT_STORAGE
    workers: int | None = None
    """Worker processes; one per core where None."""
    cluster: str | None = None
    """Address of a Dask scheduler; None for workers on this machine."""
    priority: int = 0
    """Of the runs that share a cluster, the one with the highest goes first."""
    artifact_dir: Path | None = None
    """Folder of the figures; beside the store where None."""

    def __post_init__(self) -> None:
        # Once: what an experiment calls may change the current folder.
        object.__setattr__(self, "storage", absolute(self.storage))
        if self.artifact_dir is not None:
            object.__setattr__(self, "artifact_dir", self.artifact_dir.absolute())
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers must be at least 1, not {self.workers}")
        most = PER_CORE * cores()
        if self.workers is not None and self.workers > most:
            raise UsageError(f"workers must be at most {most} on this machine, not {self.workers}")
        if self.workers is not None and self.cluster is not None:
            raise UsageError("workers are started on this machine only: a cluster has its own")
        if self.priority and self.cluster is None:
            raise UsageError("a priority is one among runs on a cluster: give --cluster, too")
        if self.cluster is not None:
            check_address(self.cluster)


def run_models(
    experiment: Experiment, models: Sequence[str], settings: Settings, console: Console
) -> list[str]:
    """Run the chains of `models`, and return what failed, in sentences; nothing is the good case.

    Raises BadStoreURL, UsageError, StoreInUse, StoreError, ClusterLost, and what loading the data
    raises: each with one clear sentence, and what was recorded till then stays.
    """
    # Optuna tells of each study and trial that it makes: the progress display does.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    content, data = _load(experiment)
    names = [f"{experiment.name}/{model}" for model in models]
    workers = settings.workers or cores()
    trainings = {model: experiment.training(model) for model in experiment.models}
    with (
        store_lock(settings.storage, names) as lock,
        Cluster(settings.cluster, workers, trainings, content, settings.priority) as cluster,
    ):
        if settings.cluster is not None and is_new(settings.storage):
            # First, so that an address where nobody answers leaves no store behind.
            cluster.start()
        with open_store(settings.storage, lock) as store:
            check_protocol(store, experiment, data)
            declare(store.engine, experiment.grid, experiment.objective)
            durations = Durations(store.engine, experiment, workers)
            plans = plan(store.engine, experiment, models, data.sha256, durations)
            _announce(console, experiment, plans)
            expected = {of_study.study.study_name: of_study.seconds for of_study in plans}
            folder = settings.artifact_dir or artifact_folder(settings.storage)
            with Board(store, folder) as board, Progress(console, expected) as progress:
                driver = Driver(
                    store, lock, cluster, data, progress, durations,
                    board=board, weights=RerunWeights(folder),
                )  # fmt: skip
                run_chains(driver, experiment, models)
                lock.check()
                board.finish()
            backup(settings.storage)
    return driver.failed


def _load(experiment: Experiment) -> tuple[Any, Data]:
    """Return what all trainings need, and what tells it from other data. Raises UsageError."""
    try:
        content = None if experiment.data is None else experiment.data()
    except Exception as error:
        if hasattr(type(error), "exit_code"):
            raise
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise UsageError(f"the data of {experiment.name} cannot be loaded: {reason}") from error
    if content is None:
        return None, Data(None, None)
    sha256 = getattr(content, "sha256", None)
    if sha256 is None:
        try:
            # By reference: what is pickled by value, such as a user's class, is new each time.
            sha256 = hashlib.sha256(pickle.dumps(content, protocol=5)).hexdigest()
        except Exception as error:
            raise UsageError(
                f"the data of {experiment.name} cannot be told from other data ({error}): give "
                "what loads them a result with an attribute sha256"
            ) from None
    return content, Data(f"{experiment.settings.get('data', 'data')}:{sha256[:12]}", sha256)


def _announce(console: Console, experiment: Experiment, plans: Sequence[StudyPlan]) -> None:
    """Print what will be done."""
    trainings = sum(of_study.trainings for of_study in plans)
    recorded = sum(of_study.recorded for of_study in plans)
    models = len({of_study.study.model for of_study in plans})
    text = (
        f"Experiment {experiment.name}: {models} model{'s' * (models > 1)}, {len(plans)} studies, "
        f"{trainings} trainings. "
    )
    if recorded == trainings:
        text += "All of them are recorded: nothing is left to train."
    else:
        seconds = [of_study.seconds for of_study in plans if of_study.seconds is not None]
        time = f"in about {duration(sum(seconds))}"
        if len(seconds) < len(plans):
            time = "in a time that is not known yet"
        text += (
            f"{recorded} of them are recorded already, or shared by two studies; "
            f"{trainings - recorded} are left to run, {time}."
        )
    further = experiment.extend
    if further and any(not of_study.study.is_rerun for of_study in plans):
        studies = f"{further} further studies" if further > 1 else "one further study"
        text += f" A stage whose winner lies on an edge goes on, in up to {studies}."
    if experiment.settle and any(not of_study.study.is_rerun for of_study in plans):
        text += f" Cells that cannot be told from a winner get up to {experiment.settle} repeats."
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)
