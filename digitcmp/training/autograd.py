"""Train any network by autograd, one seed after the other: plain PyTorch, and the reference.

The fast path, `digitcmp.stack`, gives the same for the networks that it knows.
"""

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from digitcmp.data.pairs import PairSet, PairSets
from digitcmp.training.loss import Loss

EVALUATION_BATCH = 250
"""Pairs in one evaluation batch."""


@dataclass(frozen=True)
class Measured:
    """What the training of one network gave."""

    loss_curve: tuple[float, ...]
    """Mean training loss of each epoch."""
    test: float
    """Fraction of test pairs compared rightly; NaN where a logit is not finite."""
    validation: float
    """The same on the validation pairs."""
    wall: float
    """Seconds that the epochs took."""
    cpu: float
    """Processor seconds of the same, over all threads."""


def train(
    network: nn.Module,
    sets: PairSets,
    loss: Loss,
    learning_rate: float,
    batch_size: int,
    seed: int,
    epochs: int,
    weight_decay: float = 0.0,
) -> Measured:
    """Train `network` with Adam, in place, and measure it in eval mode.

    It may be any module that makes `digitcmp.networks.Outputs` of pairs,
    `(B, 2, 14, 14)`.

    The shuffling has a stream of random numbers of its own, as on the fast path. Layers that draw
    some themselves, such as dropout, take PyTorch's global ones: seed it first.
    """
    pairs = sets.train
    optimizer = torch.optim.Adam(network.parameters(), learning_rate, weight_decay=weight_decay)
    shuffle = torch.Generator().manual_seed(seed)
    curve = []
    network.train()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(epochs):
        total = torch.zeros(())
        for chosen in torch.randperm(len(pairs.target), generator=shuffle).split(batch_size):
            batch = PairSet(pairs.images[chosen], pairs.digits[chosen], pairs.target[chosen])
            batch_loss = loss.of_batch(network(batch.images), batch)
            optimizer.zero_grad()
            batch_loss.backward()
            optimizer.step()
            total += batch_loss.detach() * len(chosen)
        curve.append(float(total) / len(pairs.target))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    network.eval()
    return Measured(
        tuple(curve), accuracy(network, sets.test), accuracy(network, sets.validation), wall, cpu
    )


@torch.no_grad()
def accuracy(network: nn.Module, pairs: PairSet) -> float:
    """Return the fraction of pairs that a network compares rightly, NaN for bad logits."""
    outputs = [network(images) for images in pairs.images.split(EVALUATION_BATCH)]
    logits: list[Tensor] = [of_batch.comparison for of_batch in outputs]
    right = torch.cat(logits).argmax(1) == pairs.target
    logits += [digits for of_batch in outputs for digits in of_batch.digits or ()]
    finite = all(bool(units.isfinite().all()) for units in logits)
    return float(right.double().mean()) if finite else float("nan")
