"""Real stores: SQLite files, and databases on PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

import storage
from storage.store import Store, open_store
from storage.trainings import TrainingRun, Value, declare


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
        parameters={"learning_rate": 5e-4, "batch_size": 8},
        seed=3,
        settings={"epochs": 25},
        data="mnist-sample",
        status="ok",
        numbers={"accuracy": 0.1 + 0.2},
        train_seconds=1.5,
        cpu_seconds=1.25,
        threads=1,
        loss_curve=(0.7, 1 / 3),
        host="here",
        started_at="2026-01-02T03:04:05+00:00",
    )


GRID: dict[str, list[Value]] = {"learning_rate": [5e-3], "batch_size": [8], "alpha": [0.5]}

WORDS = ["gini", "entropy"]


class Search:
    """What a driver writes of one study."""

    def __init__(
        self,
        store: Store,
        name: str = "paper/MLP/lr-batch",
        grid: Mapping[str, Sequence[Value]] = GRID,
        objective: str = "accuracy",
        **attributes: object,
    ) -> None:
        declare(store.engine, grid, objective)
        self.study = optuna.create_study(
            study_name=name, storage=store.optuna, direction="maximize"
        )
        labels = zip(("experiment", "model", "stage"), name.split("/"), strict=True)
        for key, value in [
            *labels,
            ("parameters", 73314),
            ("protocol", {"epochs": 25}),
            *attributes.items(),
        ]:
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
        more: Mapping[str, Value] = {},
        space: Mapping[str, Sequence[Value]] = {},
        **attributes: object,
    ) -> None:
        """Add a trial; parameters that are None were never drawn."""
        known = {"learning_rate": learning_rate, "batch_size": batch_size, "alpha": alpha}
        given: dict[str, Any] = {**known, "seed": seed, **more}
        drawn = {name: value for name, value in given.items() if value is not None}
        if state == TrialState.COMPLETE and value is None:
            value = sum(values) / len(values)
        if state == TrialState.COMPLETE:
            attributes.setdefault("score" if seed is None else "train_seconds", value)
        if state == TrialState.PRUNED:
            attributes.setdefault("given_up", "worse")
        if seed is None and not space:
            attributes.setdefault("place", len(self.study.get_trials(deepcopy=False)))
        self.study.add_trial(
            create_trial(
                state=state,
                params=drawn,
                distributions={name: distribution(value) for name, value in drawn.items()},
                value=value,
                intermediate_values=dict(enumerate(values)),
                user_attrs=attributes,
                system_attrs={"search_space": space} if space else {},
            )
        )


def distribution(value: Value) -> BaseDistribution:
    if isinstance(value, str):
        return CategoricalDistribution(WORDS)
    return IntDistribution(0, 1024) if isinstance(value, int) else FloatDistribution(0, 1e10)


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
