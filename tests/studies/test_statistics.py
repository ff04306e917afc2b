"""Estimates and tests, against hand-made cases and against scipy asked directly."""

import math

import numpy as np
import pytest
from scipy import stats

from studies.report.gaps import Gap, paired_gap, unpaired_gap
from studies.report.statistics import (
    RESAMPLES,
    Estimate,
    difference,
    holm,
    ratio,
    signed_rank,
    smallest_p,
)

NOISE = np.random.default_rng(7).normal(0, 0.01, (4, 10))
SEEDS = np.random.default_rng(8).normal(0, 0.05, 10)
PLAIN, SHARED, AUXILIARY, BOTH = (
    SEEDS + NOISE + np.array([[0.80], [0.83], [0.85], [0.90]])
)  # fmt: skip


def test_a_difference_is_that_of_means_with_scipys_interval_of_the_paired_ones() -> None:
    found = difference([PLAIN, SHARED], (-1, 1))
    asked = stats.bootstrap(
        (SHARED - PLAIN,), np.mean, n_resamples=RESAMPLES, rng=np.random.default_rng(0)
    ).confidence_interval
    assert found.value == pytest.approx(SHARED.mean() - PLAIN.mean())
    assert (found.low, found.high) == pytest.approx((asked.low, asked.high), abs=1e-5)
    assert found.direction == 1


def test_pairs_keep_what_the_seeds_share_out_of_the_interval() -> None:
    """Unpaired, the spread of the seeds would hide the effect."""
    found = difference([PLAIN, SHARED], (-1, 1))
    shuffled = difference([PLAIN, np.roll(SHARED, 3)], (-1, 1))
    assert found.low is not None and found.high is not None
    assert shuffled.low is not None and shuffled.high is not None
    assert found.high - found.low < (shuffled.high - shuffled.low) / 2
    assert shuffled.direction == 0


def test_an_interaction_is_what_the_effects_do_not_add_up_to() -> None:
    found = difference([PLAIN, SHARED, AUXILIARY, BOTH], (1, -1, -1, 1))
    expected = BOTH.mean() - SHARED.mean() - AUXILIARY.mean() + PLAIN.mean()
    assert found.value == pytest.approx(expected)
    assert found.low is not None and found.high is not None
    assert found.low < expected < found.high


def test_a_ratio_is_that_of_means() -> None:
    one, other = np.array([1.0, 3.0, 2.0]), np.array([2.0, 4.0, 6.0])
    found = ratio([one, other], (-1, 1))
    assert found.value == pytest.approx(2.0)
    assert found.neutral == 1.0
    # The extremes of single seeds bound it.
    assert found.low is not None and found.high is not None
    assert 4 / 3 <= found.low <= 2.0 <= found.high <= 3.0


@pytest.mark.parametrize(
    ("low", "high", "neutral", "direction"),
    [(0.1, 0.2, 0.0, 1), (-0.2, -0.1, 0.0, -1), (-0.1, 0.1, 0.0, 0), (0.5, 0.9, 1.0, -1),
     (0.5, 1.2, 1.0, 0), (None, None, 0.0, 0)],
)  # fmt: skip
def test_a_direction_needs_the_whole_interval(
    low: float | None, high: float | None, neutral: float, direction: int
) -> None:
    assert Estimate(0.7, low, high, neutral).direction == direction


def test_seeds_that_agree_give_an_interval_without_width() -> None:
    found = difference([np.array([0.5, 0.25, 0.75]), np.array([0.75, 0.5, 1.0])], (-1, 1))
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_two_seeds_give_an_interval_between_them() -> None:
    found = difference([np.array([0.5, 0.5]), np.array([0.6, 0.8])], (-1, 1))
    assert found.low is not None and found.high is not None
    assert 0.1 - 1e-9 <= found.low < found.high <= 0.3 + 1e-9


def test_one_seed_gives_no_interval() -> None:
    one, other = np.array([0.5]), np.array([0.6])
    assert difference([one, other], (-1, 1)) == Estimate(pytest.approx(0.1), None, None)
    assert ratio([one, other], (-1, 1)) == Estimate(pytest.approx(1.2), None, None, 1.0)
    assert signed_rank(one, other) is None


def test_the_same_samples_give_the_same_interval() -> None:
    assert ratio([PLAIN, BOTH], (-1, 1)) == ratio([PLAIN.copy(), BOTH.copy()], (-1, 1))


def test_signed_rank_of_hand_made_cases() -> None:
    zeros = np.zeros(5)
    # Of the 32 ways to give signs to five ranks, two are this extreme.
    assert signed_rank(zeros, np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 32)
    # Rank 1 alone is negative: four ways.
    assert signed_rank(zeros, np.array([-0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(4 / 32)
    assert signed_rank(zeros, zeros) == 1.0


@pytest.mark.parametrize("count", [3, 8, 10, 20])
def test_signed_rank_is_scipys(count: int) -> None:
    """With ties and zeros, of which accuracies have many, and without."""
    random = np.random.default_rng(count)
    for differences in (random.integers(-3, 6, count) / 1000, random.normal(0.5, 1, count)):
        asked = stats.wilcoxon(differences).pvalue
        assert signed_rank(np.zeros(count), differences) == pytest.approx(asked, rel=1e-3)


def test_differences_of_counts_tie_whatever_their_last_bit() -> None:
    one = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    steps = np.array([1, 1, 1, -1, -1, 2]) / 10
    assert len(set(np.abs(one + steps - one))) > 2
    assert signed_rank(one, one + steps) == signed_rank(np.zeros(6), steps)


def test_the_smallest_p_is_that_of_seeds_that_all_agree() -> None:
    assert signed_rank(np.zeros(10), np.arange(1.0, 11.0)) == pytest.approx(smallest_p(10))
    assert smallest_p(10, 66) == pytest.approx(66 * 2 / 1024)
    assert smallest_p(2, 66) == 1.0


def test_holm_of_a_hand_made_case() -> None:
    # Sorted 0.01, 0.03, 0.04 times 3, 2, 1, and never below the one before.
    assert holm([0.01, None, 0.04, 0.03]) == [
        pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06),
    ]  # fmt: skip
    assert holm([None]) == [None]


def test_gaps_of_hand_made_cases() -> None:
    found = paired_gap([0.5, 0.7, 0.9], [0.4, 0.4, 0.4])
    assert found == Gap(pytest.approx(0.3), pytest.approx(0.2 / math.sqrt(3)))
    assert found.in_errors == pytest.approx(0.3 / (0.2 / math.sqrt(3)))
    assert paired_gap([0.5], [0.4]) == Gap(pytest.approx(0.1), None)
    assert Gap(0.1, None).in_errors is None and Gap(0.0, 0.0).in_errors is None
    found = unpaired_gap((0.9, 0.3, 9), (0.8, 0.4, 4))
    assert found == Gap(pytest.approx(0.1), pytest.approx(math.hypot(0.1, 0.2)))
    assert unpaired_gap((0.9, None, 1), (0.8, 0.4, 4)).error is None
