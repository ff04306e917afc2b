"""A stack of networks computes what autograd does for each of them, to the bit by itself."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from digitcmp.data.pairs import PairSet
from digitcmp.models import MODELS, build
from digitcmp.stack import Adam, Batch, Logits, Stack, concatenate
from digitcmp.training import initial_network
from digitcmp.training.loss import Loss
from tests.digitcmp.plain import loss_of, random_pairs, take

PAIRS = 7
ALPHA = 0.7
SEEDS = (0, 1, 2)
LOSS = Loss(ALPHA)
SLOW = ("ResNet", "SiameseResNet", "AuxsiameseResNet")
BY_NAME = [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in MODELS]
"""All models; one ResNet stands for the others by default."""


@pytest.fixture
def double_precision() -> Iterator[None]:
    """So that rounding, which Adam blows up where a gradient is zero, hides no difference."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def models_of(name: str, seeds: tuple[int, ...] = SEEDS) -> list[nn.Module]:
    return [initial_network(partial(build, name), seed) for seed in seeds]


def whole(stack: Stack, sets: list[PairSet]) -> Batch:
    """All pairs in one batch."""
    (batch,) = stack.pairs(sets).batches(1000)
    return batch


def step(stack: Stack, batch: Batch) -> Logits:
    """Forward and backward."""
    logits = stack.forward(batch.images, training=True)
    stack.backward(LOSS.gradient(logits, batch.target))
    return logits


def weights_of(stack: Stack, models: list[nn.Module]) -> list[tuple[Tensor, Tensor]]:
    """Each parameter of the stack and its gradient, `(R, ...)`, in the order of a model's."""
    weights = stack.parameters._weights
    first, second = (getattr(models[0], name, None) for name in ("first", "second"))
    if first is second:
        return [weights[each] for each in models[0].parameters()]
    # First trunks and second ones take turns.
    of_first, of_second = (
        [tuple(each[start::2] for each in weights[like]) for like in first.parameters()]
        for start in (0, 1)
    )
    others = [each for part in (models[0].head, models[0].comparison) for each in part.parameters()]
    return [*of_first, *of_second, *(weights[each] for each in others)]


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", BY_NAME)
def test_forward_loss_and_gradients_are_those_of_autograd(name: str) -> None:
    models, sets = models_of(name), [random_pairs(PAIRS, seed) for seed in SEEDS]
    stack = Stack(models)
    batch = whole(stack, sets)
    logits = step(stack, batch)
    losses = LOSS.mean(logits, batch.target)
    for network, (model, pair_set) in enumerate(zip(models, sets, strict=True)):
        outputs = model(pair_set.images)
        expected = loss_of(outputs, pair_set, ALPHA)
        expected.backward()
        torch.testing.assert_close(logits.comparison[network], outputs.comparison)
        torch.testing.assert_close(losses[network], expected)
        if outputs.digits is not None:
            torch.testing.assert_close(logits.digits[network], torch.stack(outputs.digits))
        for parameter, weight in zip(model.parameters(), weights_of(stack, models), strict=True):
            torch.testing.assert_close(weight[0][network], parameter)
            torch.testing.assert_close(weight[1][network], parameter.grad)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", ["CNN", "AuxCNN"])
def test_of_equals_in_a_pooling_window_one_alone_has_the_gradient(name: str) -> None:
    """As on the paper around every digit, where all four are the same."""
    models = models_of(name)
    noise = [random_pairs(PAIRS, seed) for seed in SEEDS]
    sets = [replace(each, images=torch.full_like(each.images, 0.5)) for each in noise]
    stack = Stack(models)
    step(stack, whole(stack, sets))
    for network, (model, pair_set) in enumerate(zip(models, sets, strict=True)):
        loss_of(model(pair_set.images), pair_set, ALPHA).backward()
        for parameter, weight in zip(model.parameters(), weights_of(stack, models), strict=True):
            torch.testing.assert_close(weight[1][network], parameter.grad)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("weight_decay", [pytest.param(0.0, marks=pytest.mark.slow), 0.1])
@pytest.mark.parametrize("name", BY_NAME)
def test_training_is_that_of_autograd_and_pytorchs_adam(name: str, weight_decay: float) -> None:
    """Three steps, the last of one pair, and then eval mode, where running statistics show."""
    models, sets = models_of(name, SEEDS[:2]), [random_pairs(11, seed) for seed in SEEDS[:2]]
    stack = Stack(models)
    pairs = stack.pairs(sets)
    adam = Adam(stack.parameters.values, stack.parameters.gradients, 1e-3, weight_decay)
    for batch in pairs.batches(5):
        step(stack, batch)
        adam.step()
    found = stack.forward(whole(stack, sets).images, training=False).comparison
    after = weights_of(stack, models)
    for network, (model, pair_set) in enumerate(zip(models, sets, strict=True)):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=weight_decay)
        for indices in torch.arange(11).split(5):
            batch = take(pair_set, indices)
            optimizer.zero_grad()
            loss_of(model(batch.images), batch, ALPHA).backward()
            optimizer.step()
        expected = model.eval()(pair_set.images).comparison
        torch.testing.assert_close(found[network], expected, rtol=1e-6, atol=1e-6)
        for parameter, weight in zip(model.parameters(), after, strict=True):
            torch.testing.assert_close(weight[0][network], parameter, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["AuxResNet", "AuxsiameseResNet"])
def test_eval_mode_changes_nothing(name: str) -> None:
    stack = Stack(models_of(name))
    images = whole(stack, [random_pairs(12, seed) for seed in SEEDS]).images
    before = stack.forward(images, training=False).comparison
    assert torch.equal(stack.forward(images, training=False).comparison, before)
    stack.forward(images, training=True)
    assert not torch.equal(stack.forward(images, training=False).comparison, before)


def test_the_models_only_lend_their_weights() -> None:
    models = models_of("SiameseMLP")
    stack = Stack(models)
    step(stack, whole(stack, [random_pairs(PAIRS, seed) for seed in SEEDS]))
    Adam(stack.parameters.values, stack.parameters.gradients, 1.0).step()
    for model, fresh in zip(models, models_of("SiameseMLP"), strict=True):
        for parameter, same in zip(model.parameters(), fresh.parameters(), strict=True):
            assert torch.equal(parameter, same)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_is_pytorchs_adam(weight_decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    values, gradients = torch.randn(640, generator=generator), torch.zeros(640)
    theirs = nn.Parameter(values.clone())
    ours = Adam(values, gradients, 5e-3, weight_decay)
    optimizer = torch.optim.Adam([theirs], lr=5e-3, weight_decay=weight_decay)
    for _ in range(20):
        gradients.copy_(torch.randn(640, generator=generator))
        theirs.grad = gradients.clone()
        ours.step()
        optimizer.step()
        assert torch.equal(gradients, theirs.grad), "the gradient itself is left as it is"
    torch.testing.assert_close(values, theirs.detach(), rtol=1e-6, atol=1e-6)


def trained_bits(name: str, seeds: tuple[int, ...], size: int) -> list[tuple[Tensor, ...]]:
    """Logits, weights and gradients of each network after a few steps, the last batch smaller."""
    models = models_of(name, seeds)
    stack = Stack(models)
    sets = [random_pairs(2 * size + 3, seed) for seed in seeds]
    adam = Adam(stack.parameters.values, stack.parameters.gradients, 5e-3)
    said = []
    for batch in stack.pairs(sets).batches(size):
        said.append(step(stack, batch))
        adam.step()
    logits = concatenate(said)
    tensors = [each for weight in weights_of(stack, models) for each in weight]
    tensors += [logits.comparison, *([] if logits.digits is None else [logits.digits])]
    return [tuple(each[network] for each in tensors) for network in range(len(seeds))]


def test_batches_follow_the_order_of_each_network() -> None:
    """Images and targets of a pair stay together, in batches of any size."""
    sets = [random_pairs(7, seed) for seed in SEEDS]
    stack = Stack(models_of("AuxsiameseMLP"))
    orders = [torch.randperm(7, generator=torch.Generator().manual_seed(s)) for s in SEEDS]
    batches = list(stack.pairs(sets).batches(3, torch.stack(orders)))
    assert [batch.target.comparison.shape[1] for batch in batches] == [3, 3, 1]
    for network, (pair_set, order) in enumerate(zip(sets, orders, strict=True)):
        for batch, indices in zip(batches, order.split(3), strict=True):
            expected = take(pair_set, indices)
            sides = batch.images[network].view(2, -1, 196).transpose(0, 1)
            assert torch.equal(sides, expected.images.flatten(2))
            assert torch.equal(batch.target.comparison[network].argmax(-1), expected.target)
            assert torch.equal(batch.target.digits[network].argmax(-1).T, expected.digits)


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name in ("MLP", "AuxsiameseMLP", "CNN", "AuxCNN") for size in (8, 128)]
    + [("SiameseCNN", 8), ("CNN", 16), ("AuxsiameseCNN", 32), ("AuxsiameseCNN", 64)]
    + [("AuxMLP", 20), ("AuxsiameseResNet", 8)]
    + [
        pytest.param(name, size, marks=pytest.mark.slow)
        for name, size in [("ResNet", size) for size in (20, 128)]
        + [("AuxResNet", 16), ("AuxsiameseResNet", 64)]
        + [(name, 20) for name in ("MLP", "AuxsiameseMLP", "CNN", "AuxCNN")]
    ],
)
def test_a_networks_bits_do_not_depend_on_the_others(name: str, size: int) -> None:
    together = trained_bits(name, (0, 1, 2, 3, 4), size)
    for group in ((0,), (1, 2), (4, 3, 2, 1)):
        for seed, alone in zip(group, trained_bits(name, group, size), strict=True):
            assert all(map(torch.equal, alone, together[seed]))
