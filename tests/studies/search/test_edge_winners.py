"""What is said at the end of a run of winners on an edge."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.queries import grid_cells
from storage.reader import open_reader
from studies import Beyond, Experiment, Stage
from studies.search.chain import run_chains
from studies.search.edge_winners import edge_sentences
from tests.faults.at_commits import AtOnce
from tests.support.runs import Runs


def net(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """The deeper, the better, up to 16; a width of 16 is the best."""
    away = abs(math.log2(parameters["depth"] / 16)) + abs(math.log2(parameters["width"] / 16))
    return {"accuracy": 0.9 - 0.02 * away}


STAGES = [Stage("size", depth=[2, 4], width=[8, 16, 32], beyond={"depth": Beyond(factor=2)})]
NET = Experiment("toy", {"net": net, "other": net}, STAGES, repeats=2, reruns=1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'studies.db'}"


def run(url: str, experiment: Experiment, *models: str) -> None:
    with Runs(url, "").driver(experiment, AtOnce(experiment)) as driver:
        run_chains(driver, experiment, models)


def test_a_winner_on_an_edge_is_told_with_what_extend_would_do(url: str) -> None:
    run(url, NET, "net")
    assert list(edge_sentences(NET, ["net", "other"], url)) == [
        "The winner of net size lies on an edge of its grid: depth 4 is the largest tried. With "
        "--extend the stage goes on beyond it, first with 3 cells (6 trainings)."
    ]


def test_studies_that_settle_a_winner_do_not_go_beyond_its_grid(url: str) -> None:
    settled = replace(NET, settle=4, name="toy+settle")
    run(url, settled, "net")
    engine = open_reader(url)
    assert list(grid_cells(engine, "toy+settle", "net", "size@4"))
    engine.dispose()
    (sentence,) = edge_sentences(settled, ["net"], url)
    assert "an edge of its grid: depth 4 is the largest tried. With --extend the" in sentence


@pytest.mark.parametrize(("extend", "is_inside"), [(1, False), (4, True)])
def test_what_it_announces_is_what_extend_does(url: str, extend: int, is_inside: bool) -> None:
    run(url, NET, "net")
    further = replace(NET, extend=extend, name="toy+extend")
    run(url, further, "net")
    engine = open_reader(url)
    assert len(list(grid_cells(engine, "toy+extend", "net", "size+1"))) == 3
    engine.dispose()
    sentences = list(edge_sentences(further, ["net"], url))
    if is_inside:
        assert sentences == []
    else:
        (sentence,) = sentences
        assert "an edge of what was tried: depth 8 is the largest tried. With --ext" in sentence
        assert "With --extend 2 the stage" in sentence
