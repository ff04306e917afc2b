"""A complete search keeps how sure its winner is; who reads a store sees it."""

import dataclasses
import json
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from storage.queries import ranked_cells, studies
from storage.reader import open_reader
from storage.rows import kept_certainty
from storage.store import open_store
from studies.best import app
from studies.certainty import certainty
from studies.experiment.definition import Experiment, Stage
from tests.support.runs import Runs
from tests.support.standin import StandIn, narrow

VIEW = "select model, stage, repeats, contenders, win_again, repeats_to_settle from certainty"
SIX = {"epochs": 2, "repeats": 6, "reruns": 1}


def query(runs: Runs, select: str) -> list[tuple[Any, ...]]:
    engine = open_reader(runs.url)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(select))]
    engine.dispose()
    return rows


def change(runs: Runs, statement: str) -> None:
    with open_store(runs.url) as store, store.engine.begin() as connection:
        connection.execute(text(statement))


def asked(runs: Runs, *words: str) -> str:
    result = CliRunner().invoke(app, ["--storage", runs.url, *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def level(parameters: dict[str, Any], seed: int) -> dict[str, float]:
    """Loss: 2 and 4 cannot be told apart, 8 is far behind."""
    width = parameters["width"]
    return {"loss": {2: 0.1, 4: 0.101, 8: 0.5}[width] + (seed * width * 7919) % 13 / 1000}


NET = Experiment(
    "least", {"net": level}, [Stage("size", width=[8, 4, 2])], repeats=6, reruns=1,
    objective="loss", direction="minimize",
)  # fmt: skip


def test_every_search_of_a_chain_keeps_it(runs: Runs, standin: StandIn) -> None:
    assert runs.run(narrow(standin.experiment(**SIX)), "AuxMLP") == []
    engine = open_reader(runs.url)
    expected = []
    for stage in ("lr-batch", "alpha"):
        cells = list(ranked_cells(engine, experiment="toy", model="AuxMLP", base=stage))
        known = certainty(cells, 1, "mean")
        assert known is not None and known.contenders[0] == cells[0].name
        kept = {study.stage: kept_certainty(study.attributes) for study in studies(engine)}
        assert kept[stage] == known and kept["rerun"] is None
        numbers = len(known.contenders), known.win_again, known.repeats_to_settle
        expected.append(("AuxMLP", stage, 6, *numbers))
    assert query(runs, f"{VIEW} order by stage desc") == expected


def test_losses_far_behind_are_no_contenders(runs: Runs) -> None:
    assert runs.run(NET, "net") == []
    assert query(runs, "select width, runs from contenders order by width") == [(2, 6), (4, 6)]
    (winner,) = json.loads(asked(runs, "--format", "json"))
    (row,) = query(runs, VIEW)
    assert winner["certainty"] == [
        {
            "stage": "size", "repeats": 6, "contenders": [{"width": 2}, {"width": 4}],
            "win_again": row[4], "repeats_to_settle": row[5],
        }
    ]  # fmt: skip
    assert 0.4 < row[4] < 0.6
    lines = [line.split() for line in asked(runs).splitlines()]
    start = lines.index(["search", "contenders", "wins", "again", "repeats", "to", "settle"])
    assert lines[start + 1] == ["net/size", "2", f"{row[4]:.0%}", "6", str(row[5])]


def test_the_same_command_writes_nothing_again_and_mends_what_is_missing(runs: Runs) -> None:
    runs.run(NET, "net")
    attributes = "select * from study_user_attributes order by 1"
    before = query(runs, attributes)
    runs.run(NET, "net")
    assert query(runs, attributes) == before
    rows = query(runs, VIEW)
    change(runs, "delete from study_user_attributes where key in ('contenders', 'win_again')")
    assert query(runs, VIEW) == []
    runs.run(NET, "net")
    assert query(runs, VIEW) == rows


@pytest.mark.parametrize("format", ["table", "json"])
def test_best_computes_what_an_older_version_did_not_keep(runs: Runs, format: str) -> None:
    runs.run(NET, "net")
    said = asked(runs, "--format", format)
    change(
        runs,
        "delete from study_user_attributes where key in "
        "('repeats', 'contenders', 'win_again', 'repeats_to_settle')",
    )
    before = query(runs, "select * from study_user_attributes")
    assert asked(runs, "--format", format) == said
    assert query(runs, "select * from study_user_attributes") == before


def test_a_search_that_goes_on_keeps_nothing(runs: Runs, standin: StandIn) -> None:
    broken = dataclasses.replace(standin, faults={(1e-3, 8): "raise"})
    assert runs.run(narrow(broken.experiment(**SIX)), "MLP") != []
    assert query(runs, VIEW) == []
    assert "contenders" not in asked(runs)
