"""Stages that are settled by further repeats, whole: on a real store, whatever interrupts them."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from storage.queries import best_params, model_results, ranked_cells, stage_cells
from storage.reader import open_reader
from storage.store import open_store
from studies import Beyond, Experiment, Stage
from studies.display.errors import UsageError
from studies.display.table import results
from studies.experiment.stage import FURTHER_SEEDS
from studies.figures import figures_of
from studies.report.choice import model_runs
from studies.search.protocol import check_protocol
from tests.studies.search.test_extend import (
    Local,
    run_killed_again_and_again,
    studies_of,
    trainings,
)
from tests.support.runs import DATA, Runs

BEHIND = {1: 0.08, 2: 0.06, 4: 0.0, 8: 0.005, 16: 0.06, 32: 0.08}
"""By how much a depth is worse than the best."""


def noise(parameters: Mapping[str, Any], seed: int, deviation: float = 0.01) -> float:
    return random.Random(f"{sorted(parameters.items())} {seed}").gauss(0, deviation)


def net(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Two depths are close; on the first ten seeds the worse one happens to seem better."""
    value = 0.9 - BEHIND[parameters["depth"]] + noise(parameters, seed)
    return {"accuracy": value, "validation": value - 0.1}


def clear(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """One depth is far ahead."""
    return {"accuracy": 0.9 - 0.04 * (parameters["depth"] != 4) + noise(parameters, seed, 0.002)}


def alike(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Two depths are equal, and so steady that this shows."""
    behind = 0.0 if parameters["depth"] in (4, 8) else 0.05
    return {"accuracy": 0.9 - behind + noise(parameters, seed, 0.002)}


def unsteady(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Two depths are equal, but so unsteady that few repeats do not show it."""
    behind = 0.0 if parameters["depth"] in (4, 8) else 0.2
    return {"accuracy": 0.8 - behind + noise(parameters, seed, 0.03)}


def made(train: Callable[..., Any], **changes: Any) -> Experiment:
    stages = [Stage("size", depth=list(BEHIND), beyond={"depth": None})]
    toy = Experiment("toy", {"net": train}, stages, repeats=10, reruns=2, settle=160)
    return replace(toy, **changes)


NET = made(net)


@pytest.fixture
def local(url: str) -> Local:
    return Local(url, "")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Local:
    runs = Local(f"sqlite:///{tmp_path_factory.mktemp('finished') / 'studies.db'}", "")
    assert runs.run(NET) == []
    return runs


def names(runs: Runs) -> list[str]:
    return list(studies_of(runs.url))


def repeats_of(runs: Runs) -> int:
    """How many the last study that settles has."""
    return int(names(runs)[-2].removeprefix("size@"))


def test_a_near_tie_is_settled_to_the_better_cell(finished: Local) -> None:
    last = repeats_of(finished)
    rounds = [20, 40, 80, 160]
    assert names(finished) == ["size", *(f"size@{n}" for n in rounds if n <= last), "rerun"]
    engine = open_reader(finished.url)
    (best,), (result,) = best_params(engine), model_results(engine)
    first = [cell for cell in ranked_cells(engine) if cell.stage == "size"]
    engine.dispose()
    assert first[0].parameters == {"depth": 8}, "ten repeats elect the worse one"
    assert best.parameters == result.parameters == {"depth": 4}
    assert best.runs == last
    assert len(trainings(finished)) == 60 + 2 * (last - 10) + 2 < 6 * last


def test_a_settling_study_says_where_it_comes_from(finished: Local) -> None:
    studies = studies_of(finished.url)
    second = studies["size@20"]
    assert second["reason"] == "10 repeats do not tell which of 2 cells is the best"
    assert (second["extends"], second["extension"]) == ("size", 1)
    assert second["grid"] == {"depth": [4, 8]}
    assert second["cells"] == [{"depth": 4}, {"depth": 8}]
    assert second["parent"] == ("toy/net/size", {"depth": 8})
    assert studies["rerun"]["parent"] == (f"toy/net/{names(finished)[-2]}", {"depth": 4})
    of_first = studies["size"]["trials"]
    for cell, (_, values) in second["trials"].items():
        assert len(values) == 20
        assert list(values.values())[:10] == list(of_first[cell][1].values()), "of the record"


def test_further_repeats_have_no_seeds_of_reruns(finished: Local) -> None:
    engine = open_reader(finished.url)
    with engine.connect() as connection:
        rows = connection.execute(text("select depth, seed from training_runs")).all()
    engine.dispose()
    further = range(FURTHER_SEEDS, FURTHER_SEEDS + repeats_of(finished) - 10)
    usual = Counter((depth, seed) for depth in BEHIND for seed in range(10))
    assert Counter(map(tuple, rows)) == usual + Counter(
        [(depth, seed) for depth in (4, 8) for seed in further] + [(4, 10), (4, 11)]
    )


def test_views_and_tables_show_the_settled_stage_once(finished: Local) -> None:
    last = repeats_of(finished)
    engine = open_reader(finished.url)
    with engine.connect() as connection:
        counts = connection.execute(text("select stage, repeats, contenders from certainty")).all()
        ones = connection.execute(text("select stage, depth, runs from contenders")).all()
    (row,) = results(finished.url)[1]
    (run,) = model_runs(engine)
    cells = stage_cells(engine, "toy", "net", "size", last=99)
    pictures = [name for name, _ in figures_of(engine, "toy", "net", f"size@{last}")]
    engine.dispose()
    assert ("size", 10, 2) in counts and (f"size@{last}", last, 1) in counts
    assert {(stage, count) for stage, _, count in counts} == set(
        Counter(stage for stage, *_ in ones).items()
    )
    assert (f"size@{last}", 4, last) in ones
    assert list(row.certainty) == ["size"]
    assert row.certainty["size"].repeats == last
    assert row.certainty["size"].contenders[0].startswith(f"size@{last}#")
    assert run.missing == [] and run.searches == ["size"]
    for of_stage in (cells, run.cells["size"]):
        runs = {cell.parameters["depth"]: cell.runs for cell in of_stage}
        assert len(of_stage) == 6 and runs == {**dict.fromkeys(BEHIND, 10), 4: last, 8: last}
    assert run.winner.parameters == {"depth": 4} and run.winner.runs == last
    assert pictures == ["curve.png"]


def test_a_report_says_what_is_not_settled_yet(local: Local) -> None:
    broken = made(fails_further, version="1")
    *_, last = local.run(broken)
    assert last == "net stops at size@20: it has no certain winner"
    engine = open_reader(local.url)
    (run,) = model_runs(engine)
    engine.dispose()
    assert run.missing[0] == "size@20: 0 of 2 cells"
    assert local.run(made(net, version="1")) == []
    assert repeats_of(local) > 20


def fails_further(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    if seed >= FURTHER_SEEDS:
        raise RuntimeError("no luck today")
    return net(parameters, seed)


def test_what_diverges_on_further_seeds_cannot_win(local: Local) -> None:
    assert local.run(made(diverges_further)) == ["net stops at size@20: it has no certain winner"]


def diverges_further(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    return {"accuracy": float("nan")} if seed >= FURTHER_SEEDS else net(parameters, seed)


def test_a_clear_winner_needs_no_further_study(local: Local) -> None:
    assert local.run(made(clear)) == []
    assert names(local) == ["size", "rerun"]


@pytest.mark.parametrize(
    ("train", "changes", "last"),
    [
        (alike, {}, ["rerun"]),
        (alike, {"margin": 0.002}, ["size@20", "size@40", "rerun"]),
        (unsteady, {"settle": 30}, ["size@20", "size@30", "rerun"]),
    ],
)
def test_equal_cells_end_by_the_margin_or_at_the_most_repeats(
    train: Callable[..., Any], changes: dict[str, Any], last: list[str], local: Local
) -> None:
    assert local.run(made(train, **changes)) == []
    assert names(local)[1:] == last
    known = results(local.url)[1][0].certainty["size"]
    assert len(known.contenders) == 2 and known.largest_gap is not None
    assert (known.largest_gap < changes.get("margin", 0.005)) == (train is alike)


@pytest.mark.parametrize(
    "changes",
    [
        {"racing": True},
        {"select_on": "validation", "rank_by": "median"},
        {"search": "joint"},
        {
            "direction": "minimize",
            "models": {"net": lambda p, s: {"accuracy": -net(p, s)["accuracy"]}},
        },
    ],
)
def test_however_cells_compete_the_stage_is_settled(changes: dict[str, Any], local: Local) -> None:
    assert local.run(made(net, **changes)) == []
    stage = "joint" if "search" in changes else "size"
    studies = studies_of(local.url)
    assert [name.partition("@")[0] for name in studies] == [stage] * (len(studies) - 1) + ["rerun"]
    assert len(studies) > 2
    engine = open_reader(local.url)
    (best,) = best_params(engine)
    assert best.parameters == {"depth": 4} and best.runs > 10
    (run,) = model_runs(engine)
    engine.dispose()
    assert run.winner.parameters == {"depth": 4}
    states = {cell.state for cell in run.cells[stage]}
    assert states == ({"COMPLETE", "PRUNED"} if "racing" in changes else {"COMPLETE"})


def test_what_lies_beyond_comes_first(local: Local) -> None:
    stages = [
        Stage("size", depth=[1, 2], beyond={"depth": Beyond(factor=2, most=32)}),
        Stage("rate", rate=[1.0, 2.0], beyond={"rate": None}),
    ]
    assert local.run(made(net, stages=stages, extend=4)) == []
    of_size = [name for name in names(local) if name.startswith("size")]
    assert of_size[:3] == ["size", "size+1", "size+2"] and of_size[-1].startswith("size@")
    assert [name.partition("@")[0] for name in names(local)[-2:]] == ["rate", "rerun"]
    engine = open_reader(local.url)
    (best,) = best_params(engine)
    engine.dispose()
    assert best.parameters["depth"] == 4


def test_workers_make_no_difference(finished: Local, workers: str, url: str) -> None:
    """Two processes, against one after the other in this one."""
    runs = Runs(url, workers)
    assert runs.run(NET, "net") == []
    assert studies_of(url) == studies_of(finished.url)
    assert len(trainings(runs)) == len(trainings(finished))


@pytest.mark.parametrize(("racing", "seed"), [(False, 0), (True, 1)])
def test_killed_at_any_moment_it_goes_on_with_the_same_studies(
    racing: bool, seed: int, tmp_path: Path, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = replace(NET, racing=racing)
    whole = Local(f"sqlite:///{tmp_path / 'whole.db'}", "")
    assert whole.run(experiment) == []
    assert run_killed_again_and_again(local, experiment, seed, (110, 170), monkeypatch) > 2
    assert studies_of(local.url) == studies_of(whole.url)
    assert len(trainings(local)) == len(trainings(whole))


def test_it_shares_all_trainings_and_is_refused_under_one_name(
    local: Local, finished: Local
) -> None:
    assert local.run(replace(NET, settle=0)) == []
    assert local.run(replace(NET, name="toy+settle=160")) == []
    # But for reruns, which are measured by each experiment.
    assert len(trainings(local)) == len(trainings(finished)) + 2
    with open_store(local.url) as store, pytest.raises(UsageError, match="settle: stored 0, ask"):
        check_protocol(store, NET, DATA)
