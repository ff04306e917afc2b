"""Stages that go on beyond their grids, whole: on a real store, whatever interrupts them."""

import math
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy import text
from sqlalchemy.engine.default import DefaultDialect

from storage.queries import best_params, grid_cells, model_results, ranked_cells
from storage.reader import open_reader
from storage.store import open_store
from storage.trainings import training_runs
from studies import Beyond, Experiment, Stage
from studies.display.errors import UsageError
from studies.display.table import results
from studies.report.choice import model_runs
from studies.search.chain import run_chains
from studies.search.durations import Durations
from studies.search.plan import plan
from studies.search.protocol import check_protocol
from tests.faults.at_commits import AtOnce
from tests.support.runs import DATA, Runs

BEST = {"depth": 32, "width": 16, "leaves": 2}
"""Three steps beyond the grid in its depth, inside it in all else."""


def net(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """All that is far from the best is worse, by the same for each seed; so are other data."""
    away = sum(abs(math.log2(value / BEST[name])) for name, value in parameters.items())
    value = 0.9 - 0.02 * away + random.Random(seed).random() / 100
    return {"accuracy": value, "validation": value - 0.1}


STAGES = [
    Stage("size", depth=[2, 4], width=[8, 16, 32], beyond={"depth": Beyond(factor=2)}),
    Stage("leaves", leaves=[1, 2, 4]),
]
NET = Experiment("toy", {"net": net}, STAGES, repeats=5, reruns=2, extend=4)
CHAIN = ["size", "size+1", "size+2", "size+3", "size+4", "leaves", "rerun"]


class Local(Runs):
    """Runs whose trainings are done in this process."""

    def run(self, experiment: Experiment, *models: str) -> list[str]:
        with self.driver(experiment, AtOnce(experiment)) as driver:
            run_chains(driver, experiment, models or tuple(experiment.models))
        return driver.failed


@pytest.fixture
def local(url: str) -> Local:
    return Local(url, "")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Local:
    runs = Local(f"sqlite:///{tmp_path_factory.mktemp('finished') / 'studies.db'}", "")
    assert runs.run(NET) == []
    return runs


def studies_of(url: str) -> dict[str, dict[str, Any]]:
    """By stage: what a study says of itself, and its cells."""
    with open_store(url) as store:
        names = optuna.get_all_study_names(store.optuna)
        studies = [optuna.load_study(study_name=name, storage=store.optuna) for name in names]
    return {
        study.study_name.rpartition("/")[2]: {
            **{
                key: study.user_attrs.get(key)
                for key in ("stage", "grid", "extends", "extension", "cells", "reason", "stages")
            },
            "parent": _parent(studies, study.user_attrs.get("parent")),
            "trials": {
                tuple(trial.params.items()): (trial.value, trial.intermediate_values)
                for trial in study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
            },
        }
        for study in studies
    }


def _parent(studies: list[optuna.Study], parent: Any) -> Any:
    """Study and parameters: trials are numbered anew after an interruption."""
    if parent is None:
        return None
    study = next(study for study in studies if study.study_name == parent["study"])
    return parent["study"], study.trials[parent["trial"]].params


def test_the_optimum_beyond_the_grid_is_found(finished: Local) -> None:
    studies = studies_of(finished.url)
    assert list(studies) == CHAIN
    engine = open_reader(finished.url)
    (best,), (result,) = best_params(engine), model_results(engine)
    assert best.parameters == result.parameters == BEST
    assert [
        (cell.parameters["depth"], cell.parameters["width"])
        for cell in sorted(ranked_cells(engine), key=lambda cell: cell.parameters["width"])
        if cell.stage == "size+3"
    ] == [(32, 8), (32, 16), (32, 32)]
    (first,) = (c for c in grid_cells(engine, "toy", "net", "leaves") if c.parameters == BEST)
    assert first.mean == pytest.approx(best.mean)
    engine.dispose()


def test_each_study_knows_how_sure_the_winner_of_its_stage_is_by_then(finished: Local) -> None:
    """The last one's own cells are worse: its winner is a cell of the study before."""
    engine = open_reader(finished.url)
    with engine.connect() as connection:
        rows = connection.execute(text("select stage, depth, width from contenders")).all()
        counts = connection.execute(text("select stage, contenders from certainty")).all()
    winner = next(ranked_cells(engine, base="size"))
    (row,) = results(finished.url)[1]
    engine.dispose()
    won = {"size": 4, "size+1": 8, "size+2": 16, "size+3": 32, "size+4": 32, "leaves": 32}
    assert {(stage, depth, 16) for stage, depth in won.items()} <= set(map(tuple, rows))
    assert dict(map(tuple, counts)) == Counter(stage for stage, *_ in rows)
    assert winner.stage == "size+3" and list(row.certainty) == ["size", "leaves"]
    assert row.certainty["size"].contenders[0] == winner.name
    assert len(row.certainty["size"].contenders) == dict(map(tuple, counts))["size+4"]


def test_each_further_study_says_where_it_comes_from(finished: Local) -> None:
    studies = studies_of(finished.url)
    known = {name: study["reason"] for name, study in studies.items() if study["extension"]}
    assert known == {
        "size+1": "depth 4 is the largest tried",
        "size+2": "depth 8 is the largest tried",
        "size+3": "depth 16 is the largest tried",
        "size+4": "depth 32 is the largest tried",
    }
    winners = {"size+1": ("size", 4), "size+2": ("size+1", 8), "size+3": ("size+2", 16)}
    winners |= {"size+4": ("size+3", 32), "leaves": ("size+3", 32)}
    for name, (before, depth) in winners.items():
        assert studies[name]["parent"] == (f"toy/net/{before}", {"depth": depth, "width": 16})
    assert studies["size+2"]["extends"] == "size"
    assert studies["size+2"]["grid"] == {"depth": [16], "width": [8, 16, 32]}
    assert studies["size+2"]["cells"] == [{"depth": 16, "width": width} for width in (8, 16, 32)]
    assert studies["size+2"]["stages"] == ["size", "leaves", "rerun"]
    assert studies["size"]["extends"] is studies["leaves"]["cells"] is None


def test_only_new_cells_are_trained(finished: Local) -> None:
    engine = open_reader(finished.url)
    # The grid, three cells in each of four studies, three numbers of leaves, and reruns.
    assert len(training_runs(engine)) == 5 * (6 + 4 * 3 + 3) + 2
    engine.dispose()


def test_an_optimum_inside_the_grid_ends_there(local: Local) -> None:
    assert local.run(NET.with_grid("depth", [8, 32, 128], name="toy")) == []
    assert list(studies_of(local.url)) == ["size", "leaves", "rerun"]


def test_a_second_run_changes_nothing(finished: Local) -> None:
    before = studies_of(finished.url)
    assert finished.run(NET) == []
    assert studies_of(finished.url) == before


class Killed(Exception):
    """Nothing in the driver expects it, so that all is left as it is."""


@pytest.mark.parametrize(("racing", "seed"), [(False, 0), (True, 1)])
def test_killed_at_any_moment_it_goes_on_with_the_same_studies(
    racing: bool, seed: int, tmp_path: Path, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after some commit, again and again, till it is complete."""
    experiment = replace(NET, racing=racing)
    whole = Local(f"sqlite:///{tmp_path / 'whole.db'}", "")
    assert whole.run(experiment) == []
    assert run_killed_again_and_again(local, experiment, seed, (120, 400), monkeypatch) > 2
    assert studies_of(local.url) == studies_of(whole.url)
    assert len(trainings(local)) == len(trainings(whole))


def run_killed_again_and_again(
    local: Local,
    experiment: Experiment,
    seed: int,
    commits: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> int:
    """Run till it is complete, each life ending around one of its commits; how many lives."""
    luck, commit = random.Random(seed), DefaultDialect.do_commit
    left = [0]

    def counted(dialect: DefaultDialect, connection: Any) -> None:
        for act in (lambda: None, lambda: commit(dialect, connection)):
            act()
            left[0] -= 1
            if left[0] == 0:
                raise Killed

    monkeypatch.setattr(DefaultDialect, "do_commit", counted)
    lives = 0
    while True:
        lives += 1
        left[0] = luck.randrange(*commits)
        with suppress(Killed):
            assert local.run(experiment) == []
            break
    left[0] = 0
    return lives


def trainings(runs: Runs) -> list[Any]:
    engine = open_reader(runs.url)
    known = list(training_runs(engine))
    engine.dispose()
    return known


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"racing": True}, CHAIN),
        ({"select_on": "validation", "rank_by": "lower-bound"}, CHAIN),
        ({"search": "joint"}, ["joint", "joint+1", "joint+2", "joint+3", "joint+4", "rerun"]),
        ({"extend": 2}, [*CHAIN[:3], *CHAIN[-2:]]),
        ({"extend": 0}, ["size", "leaves", "rerun"]),
    ],
)
def test_however_cells_compete_the_stage_goes_on(
    changes: dict[str, Any], names: list[str], local: Local
) -> None:
    experiment = replace(NET, **changes)
    assert local.run(experiment) == []
    studies = studies_of(local.url)
    assert list(studies) == names
    for study in studies.values():
        if study["cells"] is not None:
            cells = {tuple(cell.items()) for cell in study["cells"]}
            assert study["trials"].keys() == cells, "no more than it says"
    engine = open_reader(local.url)
    (best,) = best_params(engine)
    engine.dispose()
    assert best.parameters == BEST | {"depth": min(32, 4 * 2**experiment.extend)}


def test_it_shares_the_trainings_of_the_grid(local: Local) -> None:
    grid = replace(NET, extend=0)
    assert local.run(grid) == []
    before = len(trainings(local))
    assert local.run(replace(NET, name="toy+extend")) == []
    # The number of leaves is searched at another winner.
    assert len(trainings(local)) - before == 5 * (4 * 3 + 3) + 2
    with open_store(local.url) as store, pytest.raises(UsageError, match="extend: stored 0, ask"):
        check_protocol(store, NET, DATA)


def test_a_plan_knows_what_is_sure_to_come(local: Local) -> None:
    counts = []

    def now(experiment: Experiment) -> None:
        with open_store(local.url) as store:
            durations = Durations(store.engine, experiment, 2)
            plans = plan(store.engine, experiment, ["net"], DATA.sha256, durations)
        counts.append([(p.study.name, p.trainings, p.recorded) for p in plans])

    with local.driver(NET, AtOnce(NET)):
        pass
    now(NET)
    broken = replace(NET, models={"net": fails_beyond}, version="1")
    fine = replace(NET, version="1")
    assert local.run(broken)[-1] == "net stops at size+2: it has no certain winner"
    now(fine)
    assert local.run(fine) == []
    now(fine)
    assert counts == [
        [("size", 30, 0), ("leaves", 15, 0), ("rerun", 2, 0)],
        [
            ("size", 30, 30), ("size+1", 15, 15), ("size+2", 15, 0), ("leaves", 15, 0),
            ("rerun", 2, 0),
        ],
        [
            *[(name, 30 if name == "size" else 15, 30 if name == "size" else 15)
              for name in CHAIN[:-1]],
            ("rerun", 2, 2),
        ],
    ]  # fmt: skip


def fails_beyond(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    if parameters["depth"] > 8:
        raise RuntimeError("no luck today")
    return net(parameters, seed)


def test_a_failed_cell_stops_the_chain_at_its_study(local: Local) -> None:
    broken = replace(NET, models={"net": fails_beyond}, version="1")
    *cells, last = local.run(broken)
    assert len(cells) == 3 and all("toy/net/size+2, depth 16" in cell for cell in cells)
    assert last == "net stops at size+2: it has no certain winner"
    assert list(studies_of(local.url)) == CHAIN[:3]


def test_what_diverges_beyond_the_grid_cannot_win(local: Local) -> None:
    broken = replace(NET, models={"net": diverges_beyond}, version="1")
    assert local.run(broken) == []
    assert list(studies_of(local.url)) == ["size", "size+1", "size+2", "leaves", "rerun"]
    engine = open_reader(local.url)
    (best,) = best_params(engine)
    assert best.parameters["depth"] == 8
    cells = list(ranked_cells(engine, experiment="toy", model="net"))
    engine.dispose()
    assert [cell.state for cell in cells if cell.stage == "size+2"] == ["DIVERGED"] * 3


def diverges_beyond(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    return {**net(parameters, seed), **({"accuracy": math.nan} if parameters["depth"] > 8 else {})}


def test_a_study_of_somebody_else_under_a_further_name_is_refused(local: Local) -> None:
    with local.driver(NET, AtOnce(NET)) as driver:
        study = optuna.create_study(
            study_name="toy/net/size+1", storage=driver.store.optuna, direction="maximize"
        )
        known = {"x": FloatDistribution(0, 1)}
        study.add_trial(create_trial(params={"x": 0.5}, distributions=known, value=1.0))
        with pytest.raises(UsageError, match=r"toy/net/size\+1 is not a study of this program"):
            check_protocol(driver.store, NET, DATA)


def test_other_cells_under_a_further_name_are_refused(finished: Local) -> None:
    size = Stage("size", **STAGES[0].grid, beyond={"depth": Beyond(factor=4)})
    other = replace(NET, stages=[size, STAGES[1]])
    with pytest.raises(UsageError, match=r"size\+1 was searched over .* --experiment"):
        finished.run(other)


def test_a_report_takes_a_stage_with_what_lies_beyond(finished: Local) -> None:
    engine = open_reader(finished.url)
    (run,) = model_runs(engine)
    engine.dispose()
    assert run.missing == []
    assert run.searches == ["size", "leaves"]
    assert len(run.cells["size"]) == 6 + 4 * 3
    assert run.cells["size"][0].parameters == {"depth": 32, "width": 16}
    assert run.winner.parameters == BEST
    assert sorted(run.search("size").grid["depth"]) == [2, 4, 8, 16, 32, 64]
