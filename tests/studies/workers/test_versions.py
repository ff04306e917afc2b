"""A worker trains only as its driver would."""

import asyncio
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from studies.workers import job, versions
from studies.workers.job import Job, TrainingsPlugin, attempt, wait_for_refusal
from studies.workers.versions import difference

ASKED = Job("abc", "MLP", {}, (0,), 1, "accuracy")


class Trained:
    def train(self, *_: object) -> list[dict[str, float]]:
        return [{"accuracy": 0.5}]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> TrainingsPlugin:
    monkeypatch.setattr(job, "_sent", {})
    monkeypatch.setattr(job, "PATIENCE", 0.0)
    return TrainingsPlugin(pickle.dumps(({"MLP": Trained()}, None)), "abc")


def outcome(plugin: TrainingsPlugin) -> tuple[Any, str | None]:
    """What becomes of a job, and why."""
    plugin.setup(SimpleNamespace(address="tcp://a:1", log_event=lambda *_: None))
    return attempt(60.0, ASKED), asyncio.run(wait_for_refusal("abc"))


def test_equal_versions_are_fit(plugin: TrainingsPlugin) -> None:
    assert difference(versions.versions()) is None
    done, reason = outcome(plugin)
    assert done.replies[0]["numbers"] == {"accuracy": 0.5}
    assert reason is None


@pytest.mark.parametrize("name", ["Python", "torch", "numpy", "code of this package"])
def test_each_version_counts(name: str, plugin: TrainingsPlugin) -> None:
    here = plugin.versions[name]
    plugin.versions = {**plugin.versions, name: "0.1"}
    expected = f"it has {name} {here}, not 0.1: install there what the driver has"
    assert outcome(plugin) == (None, expected)


def test_the_build_of_a_library_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", lambda name: "2.13.0+cu130")
    assert versions.versions.__wrapped__()["torch"] == "2.13.0"


def test_what_a_worker_cannot_load_it_does_not_train(plugin: TrainingsPlugin) -> None:
    plugin.content = b"cno_such_module\nname\n."
    result, reason = outcome(plugin)
    assert result is None
    assert reason is not None
    assert "another one that is needed (No module named 'no_such_module')" in reason


def test_without_trainings_a_worker_does_not_train(plugin: TrainingsPlugin) -> None:
    assert attempt(60.0, ASKED) is None
    assert "did not reach it" in str(asyncio.run(wait_for_refusal("abc")))
