"""How sure a winner is: what is known beforehand comes out, and the best cell stays in."""

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest

from storage.queries import Certainty, RankedCell, StudyAttributes
from storage.rows import kept_certainty
from studies.certainty import (
    MOST,
    certainty,
    certainty_of,
    contenders,
    largest_gap,
    luck,
    repeats_to_settle,
    scores,
    win_again,
)
from studies.display.certainty import settling_text, sureness_lines, sureness_sentence
from tests.benchmarks.certainty import GRIDS, Coverage, coverage, made_up


def values(*rows: list[float]) -> Any:
    return np.array(rows)


NOISE = [0.01, -0.02, 0.0, 0.03, -0.01, 0.02, -0.03, 0.0, 0.01, -0.01]
OTHER = [-0.02, 0.01, 0.02, 0.0, 0.0, -0.01, 0.01, 0.03, -0.02, -0.02]


def cell(mean: float, noise: list[float], number: int = 0, state: str = "COMPLETE") -> RankedCell:
    accuracies = tuple(mean + luck for luck in noise)
    return RankedCell(
        "toy", "tree", "size", {"depth": number}, mean, 0.1, len(noise), state, 0, number=number,
        values=accuracies, fingerprints=(), base="size",
    )  # fmt: skip


def named(*numbers: int) -> tuple[str, ...]:
    return tuple(f"size#{number}" for number in numbers)


@cache
def covered(name: str) -> Coverage:
    return coverage(GRIDS[name], 10, 0.005, draws=200)


@pytest.mark.parametrize(
    ("name", "most"), [("all 20 equal", 20), ("5 close, 15 far", 5.5), ("steps of 0.005", 5)]
)
def test_the_best_cell_is_a_contender_in_95_of_100_draws(name: str, most: float) -> None:
    """Of 200 draws at 95%, 183 and fewer are seen once in fifty times."""
    assert covered(name).holds_best > 183 / 200
    # Cells that are far behind are none.
    assert covered(name).contenders < most


def test_what_is_worse_on_every_seed_is_no_contender() -> None:
    behind = [luck - 0.03 for luck in NOISE]
    assert contenders(values(NOISE, OTHER, behind)) == [0, 1]
    # Also where one of its networks died, which makes its mean uncertain, among many cells.
    behind[4] = -0.4
    random = np.random.default_rng(1)
    others = [list(random.normal(-0.001, 0.01, 10)) for _ in range(12)]
    assert 13 not in contenders(values(NOISE, *others, behind))


def test_pairs_of_seeds_are_told_apart_where_means_are_not() -> None:
    """The seeds differ by more than the cells, but all in the same way."""
    luck = np.array(NOISE) * 10
    first, second = luck + 0.004 * np.arange(1, 11) / 5, luck
    assert contenders(np.stack([first, second])) == [0]
    assert contenders(np.stack([first, second[::-1]])) == [0, 1]


@pytest.mark.parametrize(("repeats", "kept"), [(2, 2), (4, 2), (5, 1), (11, 1), (40, 1)])
def test_fewer_than_five_repeats_tell_nothing_apart(repeats: int, kept: int) -> None:
    random = np.random.default_rng(1)
    clear = np.stack([random.normal(mean, 0.001, repeats) for mean in (0.9, 0.5)])
    assert len(contenders(clear)) == kept


def wins_again(rows: Any, rule: str = "mean") -> float:
    return win_again(rows, luck(rows, rule), rule, contenders(rows))


def test_equal_cells_share_what_they_win() -> None:
    assert wins_again(values(NOISE, NOISE)) == 0.5
    assert wins_again(values(NOISE)) == 1.0
    ahead = [luck + 1 for luck in NOISE]
    assert wins_again(values(ahead, NOISE)) == 1.0
    assert wins_again(values(ahead, ahead, NOISE)) == 0.5


@pytest.mark.parametrize("name", ["all 20 equal", "5 close, 15 far", "steps of 0.005"])
def test_a_winner_wins_again_as_often_as_is_expected_of_it(name: str) -> None:
    """A plain bootstrap of the seeds expects 0.4 to 0.7, as it takes all luck for merit."""
    row = covered(name)
    assert row.wins_again == pytest.approx(row.won_again, abs=0.15)


def test_a_winner_by_its_median_wins_again_as_often_as_its_equals() -> None:
    row = coverage(GRIDS["all 20 equal"], 10, 0.0, draws=160, rank_by="median")
    assert 0.03 < row.wins_again < 0.09


def test_luck_is_that_of_means_of_as_many_repeats() -> None:
    rows = values(NOISE, OTHER)
    deviation = np.std(rows, axis=1, ddof=1) / 10**0.5
    assert np.std(luck(rows, "mean"), axis=1) == pytest.approx(deviation, rel=0.05)
    # Of the same seeds: what both share is not in their difference.
    shared = rows + np.array(NOISE) * 100
    first, second = luck(shared, "mean")
    assert np.std(first - second) == pytest.approx(np.std(np.subtract(*luck(rows, "mean"))))


@pytest.mark.parametrize("rule", ["mean", "median", "lower-bound"])
def test_a_rule_ranks_by_what_it_is_called(rule: str) -> None:
    dead = values([0.9] * 9 + [0.1], [0.85] * 10)
    first, second = scores(dead, rule)
    assert (first > second) == (rule == "median")
    bound = 0.82 - np.std(dead[0], ddof=1) / 10**0.5
    assert first == pytest.approx({"mean": 0.82, "median": 0.9, "lower-bound": bound}[rule])


def test_so_many_repeats_settle_it() -> None:
    """By the formula of a paired t-test: (1.96 + 0.84)**2 * (deviation / gap)**2, and two more."""
    random = np.random.default_rng(3)
    pair = np.stack([random.normal(0.01, 0.02, 30), random.normal(0.0, 0.02, 30)])
    lead = pair[0] - pair[1]
    wanted = 7.849 * np.var(lead, ddof=1) / np.mean(lead) ** 2 + 1.92
    got = repeats_to_settle(pair, luck(pair, "mean"), "mean")
    assert got == pytest.approx(wanted, rel=0.1)
    # With so many, four of five draws find the difference.
    found = 0
    for _ in range(400):
        again = random.normal(np.mean(lead), np.std(lead, ddof=1), got)
        found += abs(np.mean(again)) > 1.96 * np.std(again, ddof=1) / len(again) ** 0.5
    assert found / 400 == pytest.approx(0.8, abs=0.07)


def test_nothing_settles_what_is_equal_or_alone() -> None:
    for rows in (values(NOISE, NOISE), values(NOISE)):
        assert repeats_to_settle(rows, luck(rows, "mean"), "mean") is None
    ahead = values([luck + 1 for luck in NOISE], NOISE)
    assert repeats_to_settle(ahead, luck(ahead, "mean"), "mean") == 2


def test_cells_without_all_repeats_have_lost_before() -> None:
    cells = [
        cell(0.9, NOISE, 4),
        cell(0.89, OTHER, 2),
        cell(0.95, NOISE[:3], 7, "PRUNED"),
        cell(0.0, [], 5, "DIVERGED"),
    ]
    known = certainty(cells, 1, "mean")
    assert known is not None and (known.repeats, known.contenders) == (10, named(4, 2))
    assert certainty(cells[2:], 1, "mean") is None
    # Of losses the least wins: the same cells, told apart alike.
    losses = [dataclasses.replace(c, values=tuple(-v for v in c.values)) for c in cells]
    assert certainty(losses, -1, "mean") == known


def test_one_repeat_tells_nothing() -> None:
    cells = [cell(0.9, [0.0], 1), cell(0.8, [0.0], 0)]
    assert certainty(cells, 1, "lower-bound") == Certainty(1, named(1, 0), None, None)


def test_of_a_large_grid_the_best_cells_are_compared() -> None:
    random = np.random.default_rng(2)
    cells = [cell(0.9 - n / 1e5, list(random.normal(0, 0.02, 4)), n) for n in range(MOST + 9)]
    known = certainty(cells, 1, "mean")
    assert known is not None and known.contenders == named(*range(MOST))


def test_the_same_values_give_the_same_answer() -> None:
    drawn = made_up(GRIDS["steps of 0.001"], 12, 0.0, np.random.default_rng(1))
    drawn = drawn[np.argsort(-drawn.mean(axis=1))]
    assert contenders(drawn) == contenders(drawn)
    assert wins_again(drawn) == wins_again(drawn)


def study(**attributes: Any) -> StudyAttributes:
    return StudyAttributes("toy", "tree", "size", {"grid": {"depth": [0, 1]}, **attributes})


KEPT = {
    "repeats": 10,
    "contenders": ["size#1", "size#0"],
    "win_again": 0.75,
    "repeats_to_settle": None,
}


def test_what_a_study_keeps_comes_back() -> None:
    assert kept_certainty(study(**KEPT).attributes) == Certainty(10, named(1, 0), 0.75, None)
    assert certainty_of(study(**KEPT), []) == Certainty(10, named(1, 0), 0.75, None)
    for odd in ("words", [0.5], [1], {"a": 1}, True):
        for key in KEPT:
            assert kept_certainty(study(**{**KEPT, key: odd}).attributes) is None
    assert kept_certainty(study(**KEPT | {"repeats": None}).attributes) is None


def test_of_a_complete_study_without_a_record_it_is_computed() -> None:
    cells = [cell(0.9, NOISE, 1), cell(0.5, OTHER, 0)]
    known = certainty_of(study(), cells)
    assert known == certainty(cells, 1, "mean") and known is not None
    assert known.contenders == named(1)
    assert certainty_of(study(), cells[:1]) is None
    assert certainty_of(StudyAttributes("toy", "tree", "size", {}), cells) is None
    assert certainty_of(study(direction="minimize"), cells[::-1]) != known


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (
            Certainty(10, named(3, 1, 2), 0.49, 45),
            "2 other cells are as good as the winner, as far as 10 repeats tell (95%, all cells at "
            "once). On new seeds it wins again with a probability of 49%; about 45 repeats would "
            "settle it against the runner-up.",
        ),
        (
            Certainty(10, named(3, 1), 0.5, None),
            "1 other cell is as good as the winner, as far as 10 repeats tell (95%, all cells at "
            "once). On new seeds it wins again with a probability of 50%; the runner-up has the "
            "same score.",
        ),
        (
            Certainty(10, named(3), 1.0, None),
            "No other cell is as good as the winner, as far as 10 repeats tell (95%, all cells at "
            "once). On new seeds it wins again with a probability of 100%.",
        ),
        (
            Certainty(1, named(3, 1), None, None),
            "One repeat does not tell how sure this winner is.",
        ),
    ],
)
def test_a_sentence_says_how_sure_a_winner_is(known: Certainty, sentence: str) -> None:
    assert sureness_sentence(known) == sentence


def test_a_table_has_a_line_for_each_search() -> None:
    known = {
        "tree/size": Certainty(10, named(3, 1, 2), 0.4949, 45),
        "tree/rate": Certainty(1, named(3, 1), None, None),
    }
    assert list(sureness_lines(known)) == [
        "search     contenders  wins again  repeats  to settle",
        "tree/size           3         49%       10         45",
        "tree/rate           2           -        1          -",
    ]
    assert settling_text(Certainty(10, named(3), 0.5, 10_001)) == "> 10000"


def test_more_looks_leave_more_contenders() -> None:
    """What is worse on 9 of 10 seeds is told from the winner at one look, not at one of five."""
    lag = [0.01] * 9 + [-0.01]
    pair = values([0.9] * 10, [0.9 - gap for gap in lag])
    assert contenders(pair) == [0]
    assert contenders(pair, looks=5) == [0, 1]


def test_the_largest_gap_bounds_the_true_one() -> None:
    """Of 300 pairs that are 0.002 apart, the bound is higher in 95%; more repeats lower it."""
    random, bounds = np.random.default_rng(0), dict[int, list[float]]()
    for repeats, draws in ((10, 300), (40, 20)):
        for _ in range(draws):
            pair = random.normal([[0.902], [0.9]], 0.004, (2, repeats))
            pair = pair[np.argsort(-pair.mean(axis=1))]
            bound = largest_gap(pair, luck(pair, "mean"), "mean", [0, 1])
            assert bound is not None
            bounds.setdefault(repeats, []).append(bound)
    assert np.mean(np.array(bounds[10]) > 0.002) > 0.95
    assert np.mean(bounds[40]) < np.mean(bounds[10]) < 0.01


def test_no_gap_is_known_of_few_repeats_and_of_one_contender() -> None:
    few = values([0.9, 0.91, 0.92, 0.9], [0.9, 0.9, 0.9, 0.9])
    assert largest_gap(few, luck(few, "mean"), "mean", [0, 1]) is None
    more = np.concatenate([few, few], axis=1)
    assert largest_gap(more, luck(more, "mean"), "mean", [0]) is None
