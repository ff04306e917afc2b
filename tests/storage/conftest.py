"""Real stores: SQLite files, and databases on PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

import storage
from storage.schema import TrainingRun
from storage.store import Store, open_store


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Where no file is yet."""
    return f"sqlite:///{tmp_path / 'studies.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Either kind of store, still to be made."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store of either kind."""
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def run() -> TrainingRun:
    """A training that went well."""
    return TrainingRun(
        fingerprint="a1",
        model="MLP",
        learning_rate=5e-4,
        batch_size=8,
        alpha=None,
        seed=3,
        epochs=25,
        data="mnist-sample",
        status="ok",
        accuracy=0.1 + 0.2,
        validation_accuracy=None,
        train_seconds=1.5,
        cpu_seconds=1.25,
        threads=1,
        loss_curve=(0.7, 1 / 3),
        host="here",
        started_at="2026-01-02T03:04:05+00:00",
        auxiliary=None,
    )


class Search:
    """What a driver writes of one study."""

    def __init__(self, store: Store, name: str = "paper/MLP/lr-batch") -> None:
        self.study = optuna.create_study(
            study_name=name, storage=store.optuna, direction="maximize"
        )
        labels = zip(("experiment", "model", "stage"), name.split("/"), strict=True)
        for key, value in [*labels, ("parameters", 73314), ("protocol", {"epochs": 25})]:
            self.study.set_user_attr(key, value)

    def guessing(self, accuracy: float) -> None:
        """Say up to which accuracy a training is no better than guessing."""
        self.study.set_user_attr("guessing", accuracy)

    def add(
        self,
        learning_rate: float | None,
        batch_size: int | None,
        alpha: float | None = None,
        values: Sequence[float] = (),
        state: TrialState = TrialState.COMPLETE,
        seed: int | None = None,
        value: float | None = None,
        **attributes: object,
    ) -> None:
        """Add a trial; parameters that are None were never drawn."""
        given = {
            "learning_rate": (learning_rate, FloatDistribution(0, 1e10)),
            "batch_size": (batch_size, IntDistribution(1, 1024)),
            "alpha": (alpha, FloatDistribution(0, 1)),
            "seed": (seed, IntDistribution(0, 1000)),
        }
        drawn = {name: pair for name, pair in given.items() if pair[0] is not None}
        if state == TrialState.COMPLETE and value is None:
            value = sum(values) / len(values)
        if state == TrialState.COMPLETE and seed is None:
            attributes.setdefault("score", value)
        self.study.add_trial(
            create_trial(
                state=state,
                params={name: value for name, (value, _) in drawn.items()},
                distributions={name: kind for name, (_, kind) in drawn.items()},
                value=value,
                intermediate_values=dict(enumerate(values)),
                user_attrs=attributes,
            )
        )


@pytest.fixture
def search() -> type[Search]:
    """Write studies as a driver does: `search(store, "experiment/model/stage").add(...)`."""
    return Search


@pytest.fixture
def python() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start Python processes that know `storage`; those left are killed at the end."""
    with ExitStack() as started:

        def start(code: str, *arguments: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                env=os.environ | {"PYTHONPATH": str(Path(storage.__file__).parents[1])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start
