"""Estimates and tests, against hand-made cases and against scipy asked directly."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from studies.report.gaps import Gap, paired_gap, summarized, unpaired_gap
from studies.report.statistics import (
    EXACT,
    MARGIN,
    Estimate,
    Sample,
    estimates,
    step_down,
    unpaired,
)

DIFFERENCES = 0.01 + np.random.default_rng(7).normal(0, 0.01, 10)


def test_one_estimate_has_students_interval() -> None:
    (found,) = estimates([DIFFERENCES])
    asked = stats.ttest_1samp(DIFFERENCES, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(DIFFERENCES.mean())
    assert (found.low, found.high) == pytest.approx((asked.low, asked.high))


def test_estimates_that_are_shown_together_have_wider_intervals() -> None:
    """Each of m holds with a probability of 0.95 ** (1 / m)."""
    found = estimates([DIFFERENCES, np.arange(4.0)])[0]
    asked = stats.ttest_1samp(DIFFERENCES, 0).confidence_interval(math.sqrt(0.95))
    assert (found.low, found.high) == pytest.approx((asked.low, asked.high))


def all_pairs(random: np.random.Generator, models: int, seeds: int) -> list[Sample]:
    """The differences of all pairs of models that do not differ."""
    values = random.normal(0, 0.012, (models, seeds)) + random.normal(0, 0.01, seeds)
    return [one - other for one, other in combinations(values, 2)]


def test_all_intervals_of_a_table_hold_at_once_and_its_tests_find_nothing() -> None:
    random, missed, rejected = np.random.default_rng(0), 0, 0
    for _ in range(200):
        samples = all_pairs(random, 6, 10)
        missed += any(estimate.direction for estimate in estimates(samples))
        p_values = step_down(np.array(samples))
        rejected += min(p for p in p_values if p is not None) < 0.05
    # Of 200, three standard errors above a twentieth.
    assert missed <= 19
    assert rejected <= 19


@pytest.mark.parametrize(
    ("low", "high", "neutral", "direction"),
    [(0.1, 0.2, 0.0, 1), (-0.2, -0.1, 0.0, -1), (-0.1, 0.1, 0.0, 0), (0.5, 0.9, 1.0, -1),
     (0.5, 1.2, 1.0, 0), (None, None, 0.0, 0)],
)  # fmt: skip
def test_a_direction_needs_the_whole_interval(
    low: float | None, high: float | None, neutral: float, direction: int
) -> None:
    assert Estimate(0.7, low, high, neutral).direction == direction


def test_two_are_equal_where_the_whole_interval_lies_within_the_margin() -> None:
    assert Estimate(0.001, -0.009, MARGIN - 1e-9).is_equal()
    assert not Estimate(0.001, -0.009, MARGIN).is_equal()
    assert not Estimate(0.001, -0.011, 0.009).is_equal()
    assert not Estimate(0.001, None, None).is_equal()
    # Two may differ for sure, and by less than matters.
    assert Estimate(0.005, 0.003, 0.007).is_equal()


def test_a_ratio_is_made_of_logarithms() -> None:
    found = Estimate(math.log(2), math.log(1.5), math.log(3)).exp()
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 1.5, 3.0))
    assert str(found) == "×2.00 [1.50, 3.00]"
    assert Estimate(0.0, None, None).exp() == Estimate(1.0, None, None, 1.0)


def test_seeds_that_agree_give_an_interval_without_width() -> None:
    (found,) = estimates([np.array([0.25, 0.25, 0.25])])
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)


def test_one_seed_gives_no_interval_and_no_test() -> None:
    assert estimates([np.array([0.1])]) == [Estimate(0.1, None, None)]
    assert step_down(np.array([[0.1], [0.2]])) == [None, None]


def test_of_one_sample_the_test_is_that_of_all_signs() -> None:
    # Of the 32 ways to give signs to five differences, two are this extreme.
    assert step_down(np.array([[0.1, 0.2, 0.3, 0.4, 0.5]])) == [pytest.approx(2 / 32)]
    # The least alone is negative: four ways.
    assert step_down(np.array([[-0.1, 0.2, 0.3, 0.4, 0.5]])) == [pytest.approx(4 / 32)]
    assert step_down(np.zeros((1, 5))) == [1.0]


def test_a_later_step_is_compared_with_what_is_left() -> None:
    """The largest with all, the next without it: more is found than by one step."""
    clear, weak = np.full(8, 0.1) + 0.01 * np.arange(8), np.array([3, 4, -1, 5, 2, 4, -1, 3]) / 100
    first, second = step_down(np.array([clear, weak]))
    assert first == pytest.approx(2**-7)
    assert [second] == step_down(np.array([weak]))
    assert second is not None and first is not None and second >= first


def test_of_many_seeds_signs_are_drawn() -> None:
    differences = np.random.default_rng(3).normal(0.4, 1, EXACT + 8)
    (found,) = step_down(differences[None])
    assert found == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert step_down(differences[None]) == [found]


def test_the_least_p_is_that_of_seeds_that_all_agree() -> None:
    assert step_down(np.arange(1.0, 11.0)[None]) == [pytest.approx(2**-9)]


def test_of_two_means_the_interval_is_welchs() -> None:
    ours, theirs = [0.80, 0.83, 0.82, 0.79], [0.85, 0.80, 0.86, 0.90, 0.84]
    asked = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    (gap,) = unpaired([(summarized(ours), summarized(theirs))])
    assert (gap.low, gap.high) == (pytest.approx(asked.low), pytest.approx(asked.high))
    assert gap.value == pytest.approx(np.mean(ours) - np.mean(theirs))
    together = unpaired([(summarized(ours), summarized(theirs))] * 12)
    asked = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95 ** (1 / 12))
    assert together[11].low == pytest.approx(asked.low)


def test_of_one_training_no_interval_is_known() -> None:
    gaps = unpaired([((0.8, None, 1), (0.7, 0.1, 10)), ((0.8, 0.0, 3), (0.7, 0.0, 3))])
    assert gaps == [Estimate(pytest.approx(0.1), None, None), Estimate(*3 * [pytest.approx(0.1)])]


def test_a_sample_that_lacks_seeds_is_tested_by_those_it_has() -> None:
    generator = np.random.default_rng(1)
    noise = generator.normal(0, 0.01, 10)
    whole = np.array([noise, noise + 0.05])
    lacking = whole.copy()
    lacking[1, 3] = np.nan
    lacking[0, 1:] = np.nan
    first, second = step_down(lacking)
    assert first is None
    assert second == pytest.approx(2**-8, abs=1e-9), "nine seeds of one sign"
    assert step_down(whole)[1] == pytest.approx(2**-9)


def test_numbers_of_any_size_are_written() -> None:
    assert str(Estimate(1.5, 0.0, math.inf, 1.0)) == "×1.50 [0.00, inf]"
    assert str(Estimate(0.0, -1000.0, 1000.0).exp()) == "×1.00 [0.00, inf]"
    assert str(Estimate(1e26, -1e26, 3e26)) == "+1e+26 [-1e+26, +3e+26]"
    assert str(Estimate(2e-5, 1e-5, 3.21e-5)) == "+2e-05 [+1e-05, +3.2e-05]"


def test_an_end_beside_zero_is_written_on_its_side() -> None:
    assert str(Estimate(0.003, -0.00042, 0.006)) == "+0.003 [-0.0004, +0.006]"
    assert str(Estimate(0.003, 0.00004, 0.006)) == "+0.003 [+0.00004, +0.006]"
    # The rounding of floats is no side.
    assert str(Estimate(1e-17, -0.002, 0.002)) == "+0.000 [-0.002, +0.002]"


def test_gaps_of_hand_made_cases() -> None:
    found = paired_gap([0.5, 0.7, 0.9], [0.4, 0.4, 0.4])
    assert found == Gap(pytest.approx(0.3), pytest.approx(0.2 / math.sqrt(3)))
    assert found.in_errors == pytest.approx(0.3 / (0.2 / math.sqrt(3)))
    assert paired_gap([0.5], [0.4]) == Gap(pytest.approx(0.1), None)
    assert Gap(0.1, None).in_errors is None and Gap(0.0, 0.0).in_errors is None
    found = unpaired_gap((0.9, 0.3, 9), (0.8, 0.4, 4))
    assert found == Gap(pytest.approx(0.1), pytest.approx(math.hypot(0.1, 0.2)))
    assert unpaired_gap((0.9, None, 1), (0.8, 0.4, 4)).error is None


def test_a_difference_the_other_way_round_has_its_ends_exchanged() -> None:
    gain = Estimate(0.02, 0.01, 0.05)
    assert -gain == Estimate(-0.02, -0.05, -0.01)
    assert -Estimate(0.02, None, None) == Estimate(-0.02, None, None)
