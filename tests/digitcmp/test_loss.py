"""The loss and its gradient, held to PyTorch's own losses and autograd."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import loss_of, random_pairs
from torch import Tensor

from digitcmp import loss
from digitcmp.models import Outputs
from digitcmp.stack import Logits, targets

alphas = st.none() | st.floats(0, 10)


def logits(networks: int, pairs: int, digits: bool = True, scale: float = 1.0) -> Logits:
    generator = torch.Generator().manual_seed(networks * 1000 + pairs)
    comparison = scale * torch.randn(networks, pairs, 2, generator=generator)
    units = scale * torch.randn(networks, 2, pairs, 10, generator=generator)
    return Logits(comparison, units if digits else None)


def plain_losses(said: Logits, pairs: int, alpha: float | None) -> Tensor:
    """Each network's loss, in double precision: a sigmoid near 1 has few digits left in float."""
    comparisons = said.comparison.double()
    digits = None if said.digits is None else said.digits.double()
    return torch.stack(
        [
            loss_of(
                Outputs(comparison, None if digits is None else tuple(digits[network])),
                random_pairs(pairs, seed=network),
                alpha,
            )
            for network, comparison in enumerate(comparisons)
        ]
    ).float()


def random_targets(networks: int, pairs: int) -> Logits:
    return targets([random_pairs(pairs, seed) for seed in range(networks)])


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 4), st.integers(1, 20), st.floats(0.01, 5), alphas, st.booleans())
def test_the_mean_is_that_of_bce_and_cross_entropy(
    networks: int, pairs: int, scale: float, alpha: float | None, digits: bool
) -> None:
    said = logits(networks, pairs, digits, scale)
    found = loss.mean(said, random_targets(networks, pairs), alpha)
    torch.testing.assert_close(found, plain_losses(said, pairs, alpha), rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 20), alphas, st.booleans())
def test_the_gradient_is_that_of_autograd(
    networks: int, pairs: int, alpha: float | None, digits: bool
) -> None:
    said = logits(networks, pairs, digits)
    leaves = [each.requires_grad_() for each in said if each is not None]
    total = plain_losses(said, pairs, alpha).sum()
    expected = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    found = loss.gradient(said, random_targets(networks, pairs), alpha)
    torch.testing.assert_close(found.comparison, expected[0])
    if alpha is None or not digits:
        assert found.digits is None
    else:
        torch.testing.assert_close(found.digits, expected[1])


def test_without_alpha_the_digits_do_not_count() -> None:
    said, target = logits(2, 6), random_targets(2, 6)
    assert torch.equal(loss.mean(said, target, None), loss.mean(said, target, 0.0))
    assert not torch.equal(loss.mean(said, target, None), loss.mean(said, target, 0.1))


def test_a_networks_bits_do_not_depend_on_the_others() -> None:
    said, target = logits(10, 1000), random_targets(10, 1000)
    together, gradients = loss.mean(said, target, 0.7), loss.gradient(said, target, 0.7)
    for network in range(10):
        one = slice(network, network + 1)
        own = Logits(said.comparison[one], said.digits[one])
        own_target = Logits(target.comparison[one], target.digits[one])
        assert torch.equal(loss.mean(own, own_target, 0.7), together[one])
        gradient = loss.gradient(own, own_target, 0.7)
        assert torch.equal(gradient.comparison, gradients.comparison[one])
        assert torch.equal(gradient.digits, gradients.digits[one])


@pytest.mark.parametrize(("alpha", "digits"), [(None, False), (0.0, True), (0.7, True)])
def test_guessing_is_the_loss_of_equal_logits(alpha: float | None, digits: bool) -> None:
    said = logits(2, 6, digits, scale=0.0)
    expected = torch.full((2,), loss.guessing(alpha))
    torch.testing.assert_close(loss.mean(said, random_targets(2, 6), alpha), expected)


def test_huge_logits_have_a_finite_loss() -> None:
    """BCELoss and its sigmoid end at 100 here."""
    target = random_targets(1, 4)
    wrong = Logits(1e4 * (1 - 2 * target.comparison), None)
    torch.testing.assert_close(loss.mean(wrong, target, None), torch.tensor([1e4]))
    torch.testing.assert_close(
        loss.gradient(wrong, target, None).comparison, (1 - 2 * target.comparison) / 8
    )


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_logit_that_is_no_number_shows_in_its_network_alone(bad: float) -> None:
    said = logits(3, 5)
    said.comparison[1, 2, 0] = bad
    assert loss.mean(said, random_targets(3, 5), 1.0).isfinite().tolist() == [True, False, True]
