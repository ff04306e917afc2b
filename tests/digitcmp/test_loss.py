"""The loss and its gradient, held to PyTorch's own losses and autograd."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from digitcmp.networks import Outputs
from digitcmp.stack import Logits, targets
from digitcmp.training.loss import AUXILIARY, Loss
from tests.digitcmp.plain import loss_of, random_pairs

alphas = st.none() | st.floats(0, 10)
auxiliaries = st.sampled_from(AUXILIARY)


def logits(networks: int, pairs: int, digits: bool = True, scale: float = 1.0) -> Logits:
    generator = torch.Generator().manual_seed(networks * 1000 + pairs)
    comparison = scale * torch.randn(networks, pairs, 2, generator=generator)
    units = scale * torch.randn(networks, 2, pairs, 10, generator=generator)
    return Logits(comparison, units if digits else None)


def plain_losses(said: Logits, pairs: int, alpha: float | None, auxiliary: str) -> Tensor:
    """Each network's loss, in double precision: a sigmoid near 1 has few digits left in float."""
    comparisons = said.comparison.double()
    digits = None if said.digits is None else said.digits.double()
    return torch.stack(
        [
            loss_of(
                Outputs(comparison, None if digits is None else tuple(digits[network])),
                random_pairs(pairs, seed=network),
                alpha,
                auxiliary,
            )
            for network, comparison in enumerate(comparisons)
        ]
    ).to(said.comparison.dtype)


def random_targets(networks: int, pairs: int) -> Logits:
    return targets([random_pairs(pairs, seed) for seed in range(networks)])


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.integers(1, 4), st.integers(1, 20), st.floats(0.01, 5), alphas, auxiliaries, st.booleans()
)
def test_the_mean_is_that_of_bce_and_cross_entropy(
    networks: int, pairs: int, scale: float, alpha: float | None, auxiliary: str, digits: bool
) -> None:
    said = logits(networks, pairs, digits, scale)
    found = Loss(alpha, auxiliary).mean(said, random_targets(networks, pairs))
    expected = plain_losses(said, pairs, alpha, auxiliary)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 20), st.floats(0.01, 5), alphas, auxiliaries, st.booleans()
)
def test_the_gradient_is_that_of_autograd(
    networks: int, pairs: int, scale: float, alpha: float | None, auxiliary: str, digits: bool
) -> None:
    said = Logits(*(x if x is None else x.double() for x in logits(networks, pairs, digits, scale)))
    leaves = [each.requires_grad_() for each in said if each is not None]
    total = plain_losses(said, pairs, alpha, auxiliary).sum()
    expected = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    target = random_targets(networks, pairs)
    target = Logits(target.comparison.double(), target.digits.double())
    found = Loss(alpha, auxiliary).gradient(said, target)
    torch.testing.assert_close(found.comparison, expected[0])
    if not alpha or not digits:
        assert found.digits is None
    else:
        torch.testing.assert_close(found.digits, expected[1])


@pytest.mark.parametrize("auxiliary", AUXILIARY)
def test_without_alpha_or_at_zero_the_digits_do_not_count(auxiliary: str) -> None:
    said, target = logits(2, 6), random_targets(2, 6)
    none, zero, some = (Loss(alpha, auxiliary) for alpha in (None, 0.0, 0.1))
    assert torch.equal(none.mean(said, target), zero.mean(said, target))
    assert not torch.equal(none.mean(said, target), some.mean(said, target))
    assert none.gradient(said, target).digits is None
    assert zero.gradient(said, target).digits is None


def test_the_second_softmax_keeps_the_loss_from_ending_at_zero() -> None:
    """However sure and right the ten units are: probabilities of 1 and 0, taken as logits."""
    target = random_targets(1, 5)
    sure = Logits(1e4 * (2 * target.comparison - 1), 1e4 * target.digits)
    expected = 2 * math.log((math.e + 9) / math.e)
    torch.testing.assert_close(Loss(1.0).mean(sure, target), torch.tensor([expected]))
    torch.testing.assert_close(Loss(1.0, "logits").mean(sure, target), torch.zeros(1))


def test_an_unknown_auxiliary_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="auxiliary must be softmax or logits, not sigmoid"):
        Loss(1.0, "sigmoid")


@pytest.mark.parametrize("auxiliary", AUXILIARY)
def test_a_networks_bits_do_not_depend_on_the_others(auxiliary: str) -> None:
    loss = Loss(0.7, auxiliary)
    said, target = logits(10, 1000), random_targets(10, 1000)
    together, gradients = loss.mean(said, target), loss.gradient(said, target)
    for network in range(10):
        one = slice(network, network + 1)
        own = Logits(said.comparison[one], said.digits[one])
        own_target = Logits(target.comparison[one], target.digits[one])
        assert torch.equal(loss.mean(own, own_target), together[one])
        gradient = loss.gradient(own, own_target)
        assert torch.equal(gradient.comparison, gradients.comparison[one])
        assert torch.equal(gradient.digits, gradients.digits[one])


@pytest.mark.parametrize("auxiliary", AUXILIARY)
@pytest.mark.parametrize(("alpha", "digits"), [(None, False), (0.0, True), (0.7, True)])
def test_guessing_is_the_loss_of_equal_logits(
    alpha: float | None, digits: bool, auxiliary: str
) -> None:
    loss = Loss(alpha, auxiliary)
    said = logits(2, 6, digits, scale=0.0)
    expected = torch.full((2,), loss.of_guessing)
    torch.testing.assert_close(loss.mean(said, random_targets(2, 6)), expected)


def test_huge_logits_have_a_finite_loss() -> None:
    """BCELoss and its sigmoid end at 100 here."""
    target = random_targets(1, 4)
    wrong = Logits(1e4 * (1 - 2 * target.comparison), None)
    torch.testing.assert_close(Loss(None).mean(wrong, target), torch.tensor([1e4]))
    torch.testing.assert_close(
        Loss(None).gradient(wrong, target).comparison, (1 - 2 * target.comparison) / 8
    )


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_logit_that_is_no_number_shows_in_its_network_alone(bad: float) -> None:
    said = logits(3, 5)
    said.comparison[1, 2, 0] = bad
    assert Loss(1.0).mean(said, random_targets(3, 5)).isfinite().tolist() == [True, False, True]
