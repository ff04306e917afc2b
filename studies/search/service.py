"""Run an experiment: lock and open its store, start its workers, complete its chains."""

import hashlib
import pickle
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
from rich.console import Console

from storage.backup import backup
from storage.lock import store_lock
from storage.store import Store, open_store, open_viewer
from storage.trainings import declare
from storage.urls import DEFAULT_STORAGE, absolute, artifact_folder, is_new
from studies.dashboard.notes import StudyNotes
from studies.display.errors import UsageError
from studies.display.progress import Progress
from studies.experiment.definition import Experiment
from studies.search.announce import announced, left_over, planned, promised
from studies.search.chain import run_chains
from studies.search.deadline import Deadline, OutOfTime
from studies.search.driver import Driver
from studies.search.forecast import Forecast
from studies.search.protocol import check_protocol
from studies.search.provenance import Data
from studies.search.rerun_weights import RerunWeights
from studies.search.speed import with_short_forms
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
    deadline: Deadline | None = None
    """Until when it runs; None: until all is done."""

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
    """Run the chains of `models`; return sentences on what failed, none where all went well.

    Raises BadStoreURL, UsageError, StoreInUse, StoreError, ClusterLost, and what loading the data
    raises: each with one clear sentence, and what was recorded till then stays.
    """
    # Optuna would log each study and trial that it makes; the progress display shows them.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    content, data = load_data(experiment)
    names = [f"{experiment.name}/{model}" for model in models]
    with (
        store_lock(settings.storage, names) as lock,
        cluster_of(experiment, content, settings) as cluster,
    ):
        if settings.cluster is not None and is_new(settings.storage):
            # First, so that an address where nobody answers leaves no store behind.
            cluster.start()
        with open_store(settings.storage, lock) as store:
            check_protocol(store, experiment, data)
            declare(store.engine, experiment.grid, experiment.objective)
            forecast = Forecast(store.engine, experiment, models, data.sha256, cluster)
            forecast.measure_short(console)
            console.print(announced(forecast), soft_wrap=not console.is_terminal, highlight=False)
            deadline = settings.deadline if forecast.left else None
            if deadline is not None:
                models = forecast.in_time_first(deadline)
                console.print(promised(forecast, deadline), soft_wrap=True, highlight=False)
            folder = settings.artifact_dir or artifact_folder(settings.storage)
            expected = {of_study.study.study_name: of_study.seconds for of_study in forecast.plans}
            with StudyNotes(store, folder) as notes, Progress(console, expected) as progress:
                driver = Driver(
                    store, lock, cluster, data, progress, forecast.durations,
                    notes=notes, weights=RerunWeights(folder),
                    deadline=deadline, first_jobs=forecast.first_jobs,
                )  # fmt: skip
                run_chains(driver, experiment, models)
                lock.check()
                notes.finish()
            if driver.is_out_of_time:
                forecast.look_again()
                stored = {study.study_name for study in store.optuna.get_all_studies()}
            backup(settings.storage)
    # Chains that were never begun may be of models of which nothing was left.
    if driver.is_out_of_time and forecast.left:
        begun = {name.rpartition("/")[0] for name in stored}
        names = [model for model in models if f"{experiment.name}/{model}" in begun]
        raise OutOfTime(left_over(forecast), driver.failed, names)
    return driver.failed


def show_plan(
    experiment: Experiment, models: Sequence[str], settings: Settings, console: Console
) -> None:
    """Print what a run would do, and how long it would take; make no store, and change none.

    Raises what `run_models` raises.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    content, data = load_data(experiment)
    with ExitStack() as closing:
        cluster = closing.enter_context(cluster_of(experiment, content, settings))
        if is_new(settings.storage):
            # As empty as the one that a run would make.
            folder = closing.enter_context(TemporaryDirectory())
            store = closing.enter_context(open_store(f"sqlite:///{folder}/studies.db"))
            declare(store.engine, experiment.grid, experiment.objective)
        else:
            viewer = open_viewer(settings.storage)
            closing.callback(viewer.engine.dispose)
            closing.callback(viewer.remove_session)
            store = Store(settings.storage, viewer)
            check_protocol(store, experiment, data)
        forecast = Forecast(store.engine, experiment, models, data.sha256, cluster)
        forecast.measure(console)
        for line in planned(forecast):
            console.print(line, soft_wrap=True, highlight=False, markup=False)


def cluster_of(experiment: Experiment, content: Any, settings: Settings) -> Cluster:
    """Return the workers of a run, which start with the first job."""
    trainings = with_short_forms(experiment)
    workers = settings.workers or cores()
    return Cluster(settings.cluster, workers, trainings, content, settings.priority)


def load_data(experiment: Experiment) -> tuple[Any, Data]:
    """Return the data of all trainings, and their label and hash. Raises UsageError."""
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
                f"the data of {experiment.name} cannot be told from other data ({error}): let the "
                "function that loads them return an object with an attribute sha256"
            ) from None
    return content, Data(f"{experiment.settings.get('data', 'data')}:{sha256[:12]}", sha256)
