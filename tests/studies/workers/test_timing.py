"""A disturbed timing is taken again, and nothing but its times."""

import math
import pickle
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from studies.experiment.training import Training
from studies.workers import disturbance, job
from studies.workers.disturbance import Reading
from studies.workers.job import ALL_CORES, Done, Failed, Job, TrainingsPlugin, attempt
from studies.workers.processor import model_name, processor

Attempt = Callable[..., Any]

WORKER = SimpleNamespace(address="tcp://a:1", log_event=lambda *_: None)


class Counted(Training):
    """Gives other numbers each time, and its own train_seconds."""

    def __init__(self) -> None:
        self.calls = 0

    def train(self, parameters: Any, seeds: Any, data: Any) -> list[dict[str, Any]]:
        self.calls += 1
        if parameters.get("slow"):
            time.sleep(0.3)
        if self.calls == parameters.get("raises"):
            raise RuntimeError("no luck")
        accuracy = math.nan if parameters.get("diverges") else self.calls / 10
        curve = [float(self.calls)]
        weights = {"calls": np.array(self.calls)}
        return [
            {
                "accuracy": accuracy, "train_seconds": float(self.calls), "loss_curve": curve,
                "weights": lambda: weights,
            }
            for _ in seeds
        ]  # fmt: skip


@pytest.fixture
def training() -> Counted:
    return Counted()


@pytest.fixture
def attempted(monkeypatch: pytest.MonkeyPatch, training: Counted) -> Attempt:
    """Do a timed job while others take these shares of the processors, one after the other."""
    monkeypatch.setattr(job, "_sent", {"key": ({"model": training}, None)})

    def do(shares: list[float | None], threads: int = ALL_CORES, **parameters: Any) -> Any:
        taken = iter(shares)
        monkeypatch.setattr(disturbance, "share_of_others", lambda before, after: next(taken))
        done = attempt(60.0, Job("key", "model", parameters, (0,), threads, "accuracy"))
        return done.replies if isinstance(done, Done) else done

    return do


@pytest.mark.parametrize(
    ("shares", "kept", "calls"),
    [
        ([0.0], 1, 1),
        ([None], 1, 1),
        ([0.9, 0.01], 2, 2),
        ([0.9, 0.5, 0.01], 3, 3),
        ([0.9, 0.5, 0.6], 2, 3),
        ([0.5, 0.5, 0.5], 1, 3),
        ([0.9, None, 0.95], 1, 3),
    ],
)
def test_the_least_disturbed_of_three_timings_is_kept(
    attempted: Attempt, training: Counted, shares: list[float | None], kept: int, calls: int
) -> None:
    (report,) = attempted(shares)
    assert (report["train_seconds"], report["disturbance"]) == (kept, shares[kept - 1])
    # The training itself is the first.
    assert (report["numbers"], report["loss_curve"]) == ({"accuracy": 0.1}, (1.0,))
    assert load(report["weights"]) == {"calls": 1}
    assert training.calls == calls


class Slow(Training):
    """Takes its time to gather what it learned, and lets the worker measure."""

    def train(self, parameters: Any, seeds: Any, data: Any) -> list[dict[str, Any]]:
        def weights() -> dict[str, Any]:
            time.sleep(0.5)
            return {"a": np.ones(1)}

        return [{"accuracy": 0.5, "weights": weights}]


def test_seconds_are_without_what_is_kept_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_sent", {"key": ({"model": Slow()}, None)})
    (report,) = job.run_job(Job("key", "model", {}, (0,), ALL_CORES, "accuracy"))
    assert report["train_seconds"] < 0.5
    assert load(report["weights"])["a"] == 1


def test_searches_send_no_weights(attempted: Attempt) -> None:
    (report,) = attempted([None], threads=1)
    assert "weights" not in report


def test_a_training_beside_others_is_not_timed(attempted: Attempt, training: Counted) -> None:
    attempted([0.9], threads=1)
    assert training.calls == 1


def test_a_diverged_training_is_not_timed_again(attempted: Attempt, training: Counted) -> None:
    (report,) = attempted([0.9], diverges=1)
    assert math.isnan(report["numbers"]["accuracy"])
    assert training.calls == 1


def test_a_training_that_raises_is_not_timed_again(attempted: Attempt, training: Counted) -> None:
    assert attempted([], raises=1) == Failed("RuntimeError: no luck")
    assert training.calls == 1


def test_a_timing_that_raises_leaves_the_training(attempted: Attempt, training: Counted) -> None:
    (report,) = attempted([0.9, 0.0], raises=2)
    assert (report["train_seconds"], report["disturbance"]) == (1.0, 0.9)
    assert training.calls == 2


def test_each_timing_has_the_whole_deadline(
    monkeypatch: pytest.MonkeyPatch, training: Counted
) -> None:
    """As the process would end otherwise."""
    monkeypatch.setattr(job, "_sent", {"key": ({"model": training}, None)})
    monkeypatch.setattr(disturbance, "share_of_others", lambda before, after: 0.9)
    (report,) = attempt(0.7, Job("key", "model", {"slow": 1}, (0,), ALL_CORES, "accuracy")).replies
    assert training.calls == 3
    assert report["disturbance"] == 0.9


def test_readings_are_taken_around_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_sent", {})
    TrainingsPlugin(pickle.dumps(({"model": Counted()}, None)), "key").setup(WORKER)
    walls = iter([0.0, 10.0])
    readings = (Reading({0}, wall, busy=wall, own=0.9 * wall) for wall in walls)
    monkeypatch.setattr(disturbance, "read", lambda: next(readings))
    (report,) = job.run_job(Job("key", "model", {}, (0,), ALL_CORES, "accuracy"))
    assert report["disturbance"] == pytest.approx(0.1)
    assert report["processor"] == processor()
    torch.set_num_threads(torch.get_num_threads())


def test_the_processor_has_a_name() -> None:
    described = "processor\t: 0\nmodel name\t: AMD EPYC 7763\nmodel name\t: other\n"
    assert model_name(described) == "AMD EPYC 7763"
    assert model_name("processor : 0\n") == ""
