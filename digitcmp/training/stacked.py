"""Train networks that differ in their seed alone side by side, as one stack."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from digitcmp.data.pairs import PairSets
from digitcmp.stack import Adam, Stack, StackedPairs, concatenate
from digitcmp.training.autograd import Measured
from digitcmp.training.loss import Loss

EVALUATION_BATCH = 50
"""Pairs in one evaluation batch: their images stay in the processor's cache."""


def train(
    stack: Stack,
    sets: Sequence[PairSets],
    loss: Loss,
    learning_rate: float,
    batch_size: int,
    seeds: Sequence[int],
    epochs: int,
    weight_decay: float = 0.0,
) -> list[Measured]:
    """Train a stack with Adam, in place, and measure each of its networks in eval mode."""
    pairs = stack.pairs([of_seed.train for of_seed in sets])
    wall, cpu = time.perf_counter(), time.process_time()
    curves = _fit(stack, pairs, loss, learning_rate, batch_size, seeds, epochs, weight_decay)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tested = _accuracies(stack, stack.pairs([of_seed.test for of_seed in sets]))
    validated = _accuracies(stack, stack.pairs([of_seed.validation for of_seed in sets]))
    return [
        Measured(tuple(curve), test, validation, wall / len(seeds), cpu / len(seeds))
        for curve, test, validation in zip(
            curves.tolist(), tested.tolist(), validated.tolist(), strict=True
        )
    ]


def _fit(
    stack: Stack,
    pairs: StackedPairs,
    loss: Loss,
    learning_rate: float,
    batch_size: int,
    seeds: Sequence[int],
    epochs: int,
    weight_decay: float,
) -> Tensor:
    """Train the stack; return each network's mean training loss of each epoch, `(R, epochs)`."""
    parameters = stack.parameters
    optimizer = Adam(parameters.values, parameters.gradients, learning_rate, weight_decay)
    shuffles = [torch.Generator().manual_seed(seed) for seed in seeds]
    count = pairs.target.comparison.shape[1]
    curves = []
    for _ in range(epochs):
        order = torch.stack([torch.randperm(count, generator=shuffle) for shuffle in shuffles])
        seen = []
        for batch in pairs.batches(batch_size, order):
            logits = stack.forward(batch.images, training=True)
            stack.backward(loss.gradient(logits, batch.target))
            optimizer.step()
            seen.append(logits)
        curves.append(loss.mean(concatenate(seen), pairs.in_order(order)))
    return torch.stack(curves, 1)


def _accuracies(stack: Stack, pairs: StackedPairs) -> Tensor:
    """Return the fraction of pairs that each network compares rightly, NaN for bad logits."""
    batches = pairs.batches(EVALUATION_BATCH)
    logits = concatenate([stack.forward(batch.images, training=False) for batch in batches])
    right = logits.comparison.argmax(-1) == pairs.target.comparison.argmax(-1)
    finite = logits.comparison.isfinite().flatten(1).all(1)
    if logits.digits is not None:
        finite &= logits.digits.isfinite().flatten(1).all(1)
    return torch.where(finite, right.double().mean(-1), torch.nan)
