"""Asking a store for its best parameters."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
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
from optuna.trial import create_trial
from sqlalchemy import text
from typer.testing import CliRunner

import studies
from storage.store import Store, open_store
from storage.trainings import declare
from studies.best import app

optuna.logging.set_verbosity(optuna.logging.WARNING)

Parameters = Mapping[str, Any]

GRID = {"rate": [0.001, 0.1], "depth": [2, 8], "kernel": ["linear", "rbf"]}
PUBLISHED = {"mean": 0.813, "deviation": 0.006, "seconds": 8.386, "seconds_deviation": 0.395}
TREE = {"rate": 0.001, "depth": 8}
MACHINE = {"rate": 0.1, "kernel": "rbf"}
MODELS = ["tree", "machine", "forest"]


def write(
    store: Store, name: str, trials: Sequence[tuple[Parameters, float, float]], **attributes: Any
) -> None:
    """Write a study: parameters, score and seconds of its trials."""
    study = optuna.create_study(study_name=name, storage=store.optuna, direction="maximize")
    known = zip(("experiment", "model", "stage"), name.split("/"), strict=True)
    for key, value in {**dict(known), **attributes}.items():
        study.set_user_attr(key, value)
    for parameters, score, seconds in trials:
        trial = create_trial(
            params=dict(parameters),
            distributions={key: distribution(value) for key, value in parameters.items()},
            value=score,
            intermediate_values={0: score, 1: score},
            user_attrs={"score": score, "place": 0, "train_seconds": seconds},
        )
        study.add_trial(trial)


def distribution(value: Any) -> BaseDistribution:
    if isinstance(value, str):
        return CategoricalDistribution(GRID["kernel"])
    return IntDistribution(0, 99) if isinstance(value, int) else FloatDistribution(0, 1)


def reruns(parameters: Parameters, value: float) -> list[tuple[Parameters, float, float]]:
    return [({**parameters, "seed": seed}, value, float(seed)) for seed in (10, 11)]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two models in `toy`, where `machine` was not rerun; one in `other`; one without a search."""
    url = f"sqlite:///{tmp_path_factory.mktemp('several') / 'studies.db'}"
    with open_store(url) as store:
        declare(store.engine, GRID, "accuracy")
        toy = {"models": MODELS, "parameters": 1234}
        write(store, "toy/machine/size", [(MACHINE, 0.625, 1.0)], **toy)
        found = [({**TREE, "depth": 2}, 0.5, 1.0), (TREE, 0.75, 1.0)]
        write(store, "toy/tree/size", found, **toy, published=PUBLISHED)
        write(store, "toy/tree/rerun", reruns(TREE, 0.875), **toy, published=PUBLISHED)
        # As an older version left it.
        write(store, "other/tree/size", [(TREE, 0.5, 1.0)])
        write(store, "table-1/forest/rerun", reruns(TREE, 0.25))
    return url


def ask(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["--storage", url, *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_table_has_ours_beside_what_is_published(several: str) -> None:
    header, *rows = [" ".join(line.split()) for line in ask(several).splitlines()]
    assert header == (
        "experiment model rate depth kernel searched accuracy published seconds published"
    )
    assert rows[:4] == [
        "other tree 0.001 8 - 0.5000",
        # It was not searched.
        "table-1 forest 0.001 8 - 0.250 ± 0.000 10.50 ± 0.71",
        "toy tree 0.001 8 - 0.7500 0.875 ± 0.000 0.813 ± 0.006 10.50 ± 0.71 8.4 ± 0.4",
        "toy machine 0.1 - rbf 0.6250",
    ]
    assert rows[4] == (
        "It is not known whether other programs disturbed the timings of forest and tree."
    )
    assert [row.split()[0] for row in rows[5:]] == ["Watch:", "Query:"]


def test_the_table_has_no_more_than_what_is_asked_for(several: str) -> None:
    header, machine, *_ = ask(several, "machine").splitlines()
    assert header.split() == ["model", "rate", "kernel", "searched", "accuracy", "seconds"]
    assert machine.split() == ["machine", "0.1", "rbf", "0.6250"]
    assert len(ask(several, "--experiment", "toy").splitlines()) == 1 + 2 + 1 + 2


@pytest.mark.parametrize("format", ["table", "json"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Tre", "no model is called 'Tre': did you mean tree?"),
        ("--experiment toi", "no experiment is called 'toi': did you mean toy?"),
        # It is one of the experiment's models, of which nothing is there.
        ("forst --experiment toy", "no model is called 'forst': did you mean tree?"),
        ("forest --experiment toy", "no model is called 'forest': did you mean tree?"),
        ("--experiment \udcff", "a name that was given has bytes that are no text in UTF-8"),
    ],
)
def test_unknown_names_are_told_the_nearest(
    several: str, words: str, said: str, format: str
) -> None:
    arguments = ["--storage", several, "--format", format, *words.split()]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {said}\n")


def test_objectives_of_several_experiments_are_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with open_store(url) as store:
        declare(store.engine, {"rate": [0.1]}, "accuracy")
        declare(store.engine, {"rate": [0.1]}, "loss")
        write(store, "a/tree/size", [({"rate": 0.1}, 0.75, 1.0)], objective="accuracy")
        write(store, "b/tree/size", [({"rate": 0.1}, 0.00012345, 1.0)], objective="loss")
    header, *rows = [line.split() for line in ask(url).splitlines()]
    assert header == ["experiment", "model", "objective", "rate", "searched", "result", "seconds"]
    assert rows[:2] == [
        ["a", "tree", "accuracy", "0.1", "0.7500"],
        ["b", "tree", "loss", "0.1", "0.0001234"],
    ]
    winners = json.loads(ask(url, "--format", "json"))
    assert [winner.get("mean_loss") for winner in winners] == [None, 0.00012345]


def test_json_has_winners_and_results(several: str) -> None:
    winners = json.loads(ask(several, "--format", "json", "--experiment", "toy"))
    assert winners[1] == {
        "experiment": "toy", "model": "machine", "rate": 0.1, "depth": None, "kernel": "rbf",
        "mean_accuracy": 0.625, "std_accuracy": 0.0, "runs": 2, "certainty": [], "result": None,
    }  # fmt: skip
    (tree, _) = winners
    assert tree["result"] == {
        "experiment": "toy", "model": "tree", "parameters": 1234, "rate": 0.001, "depth": 8,
        "kernel": None, "mean_accuracy": 0.875, "std_accuracy": 0.0, "mean_train_seconds": 10.5,
        "std_train_seconds": pytest.approx(0.5**0.5), "reruns": 2, "timed": 2,
    }  # fmt: skip
    (forest,) = json.loads(ask(several, "--format", "json", "--experiment", "table-1"))
    assert (forest["mean_accuracy"], forest["runs"], forest["result"]["reruns"]) == (None, 0, 2)


def test_seconds_of_too_few_undisturbed_timings_are_not_shown(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with open_store(url) as store:
        declare(store.engine, GRID, "accuracy")
        for model, disturbed in (("tree", 2), ("machine", 1)):
            trials = [({**TREE, "seed": seed}, 0.875, float(seed)) for seed in range(4)]
            write(store, f"toy/{model}/rerun", trials, models=MODELS)
            optuna_trials = store.optuna.get_all_trials(
                store.optuna.get_study_id_from_name(f"toy/{model}/rerun")
            )
            for trial in optuna_trials:
                set_attribute(store, trial._trial_id, "disturbed", trial.number < disturbed)
    lines = [" ".join(line.split()) for line in ask(url).splitlines()]
    assert lines[1:3] == [
        "tree 0.001 8 0.875 ± 0.000 2 of 4 undisturbed",
        "machine 0.001 8 0.875 ± 0.000 2.00 ± 1.00",
    ]
    assert " ".join(lines[3:-2]) == (
        "No seconds are shown of tree: other programs used the processors during the timings, and "
        "fewer than 3 were undisturbed. Seconds are means of undisturbed timings; left out, as "
        "other programs used the processors, are 1 of 4 (machine)."
    )
    tree, machine = (winner["result"] for winner in json.loads(ask(url, "--format", "json")))
    assert (tree["mean_train_seconds"], tree["reruns"], tree["timed"]) == (None, 4, 2)
    assert (machine["mean_train_seconds"], machine["timed"]) == (2.0, 3)


def set_attribute(store: Store, trial: int, key: str, value: Any) -> None:
    """Set an attribute of a finished trial, which Optuna refuses."""
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "insert into trial_user_attributes (trial_id, key, value_json) values (:t, :k, :v)"
            ),
            {"t": trial, "k": key, "v": json.dumps(value)},
        )


def test_a_store_without_results_is_no_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with open_store(url):
        pass
    assert json.loads(ask(url, "--format", "json")) == []
    assert ask(url).split()[:4] == ["model", "searched", "result", "seconds"]
    for words in (["tree"], ["--experiment", "toy"]):
        result = CliRunner().invoke(app, ["--storage", url, *words])
        assert (result.exit_code, "has no studies yet" in result.stderr) == (2, True)


def test_neither_torch_nor_optuna_is_loaded(several: str, tmp_path: Path) -> None:
    """They take seconds, and an answer takes none."""
    code = (
        "import sys; from studies.best import app; app(sys.argv[1:], standalone_mode=False); "
        "print({'torch', 'optuna', 'distributed', 'digitcmp.models'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--storage", several],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"
