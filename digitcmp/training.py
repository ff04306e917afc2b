"""Train a model on the pairs of each seed and measure how often it compares rightly.

Source: the paper's training section: Adam, 25 epochs, reshuffled every epoch; accuracy on the test
pairs after the last epoch.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from digitcmp.loss import Loss
from digitcmp.models import OneBranch, TwoBranch, build
from digitcmp.pairs import PooledDigits, pair_sets
from digitcmp.stack import Adam, Stack, StackedPairs, concatenate

EVALUATION_BATCH = 50
"""Pairs in one evaluation batch: their images stay in the processor's cache."""

HOPELESS = 1000
"""An epoch's mean loss, as a multiple of that of guessing, beyond which a training has diverged.

A network whose units have died gives finite logits at any learning rate, and is right about half
of the pairs. No training that learns comes near: it starts at the loss of guessing."""

_GLOBAL_GENERATOR = threading.Lock()


@dataclass(frozen=True)
class Hyperparameters:
    """What a cell of the grid fixes."""

    learning_rate: float
    batch_size: int
    alpha: float | None
    """Weight of the auxiliary loss; None for a model that has none."""


@dataclass(frozen=True)
class TrainingResult:
    """What one training gave."""

    seed: int
    accuracy: float | None
    """Fraction of test pairs compared rightly; None where the training diverged."""
    validation_accuracy: float | None
    """The same on the validation pairs."""
    train_seconds: float
    """Wall time of the epochs, without drawing pairs and without the evaluation. Trainings that
    ran side by side share it equally."""
    cpu_seconds: float
    """Processor time of the same, over all threads."""
    loss_curve: tuple[float, ...]
    """Mean training loss of each epoch."""

    @property
    def diverged(self) -> bool:
        """Whether a loss or a logit was not finite, or an epoch's mean loss hopeless."""
        return self.accuracy is None


def train(
    model: str,
    hyperparameters: Hyperparameters,
    digits: PooledDigits,
    seeds: Sequence[int],
    epochs: int,
    auxiliary: str = "softmax",
) -> list[TrainingResult]:
    """Train `model` once per seed, side by side, and return the results in the order of the seeds.

    A seed fixes the pairs drawn, the initial weights and the shuffling. On one machine and with one
    thread (`torch.set_num_threads(1)`) its result is the same to the bit, whatever other seeds are
    given along. With several threads it may differ in the last bits: they share out the sums.

    `auxiliary` is what the auxiliary loss is made of, see `digitcmp.loss.Loss`. Without one, or at
    alpha 0, it changes nothing, and an Auxsiamese model is the Siamese one, to the bit.

    Raises KeyError for an unknown model, ValueError for an unknown auxiliary loss.
    """
    loss = Loss(hyperparameters.alpha, auxiliary)
    sets = [pair_sets(digits, seed) for seed in seeds]
    stack = Stack([initial_model(model, seed) for seed in seeds])
    pairs = stack.pairs([each.train for each in sets])
    wall, cpu = time.perf_counter(), time.process_time()
    curves = _fit(stack, pairs, hyperparameters, loss, seeds, epochs)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tested = _accuracies(stack, stack.pairs([each.test for each in sets]))
    validated = _accuracies(stack, stack.pairs([each.validation for each in sets]))
    # False for a loss that is NaN, too.
    sound = (curves <= HOPELESS * loss.of_guessing).all(1)
    finite = sound & tested.isfinite() & validated.isfinite()
    return [
        TrainingResult(
            seed,
            float(tested[i]) if finite[i] else None,
            float(validated[i]) if finite[i] else None,
            wall / len(seeds),
            cpu / len(seeds),
            tuple(curves[i].tolist()),
        )
        for i, seed in enumerate(seeds)
    ]


def initial_model(name: str, seed: int) -> OneBranch | TwoBranch:
    """Build a model with the initial weights of `seed`; PyTorch's global generator is restored."""
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(name)


def _fit(
    stack: Stack,
    pairs: StackedPairs,
    chosen: Hyperparameters,
    loss: Loss,
    seeds: Sequence[int],
    epochs: int,
) -> Tensor:
    """Train the stack; return each network's mean training loss of each epoch, `(R, epochs)`."""
    parameters = stack.parameters
    optimizer = Adam(parameters.values, parameters.gradients, chosen.learning_rate)
    shuffles = [torch.Generator().manual_seed(seed) for seed in seeds]
    count = pairs.target.comparison.shape[1]
    curves = []
    for _ in range(epochs):
        order = torch.stack([torch.randperm(count, generator=each) for each in shuffles])
        seen = []
        for batch in pairs.batches(chosen.batch_size, order):
            logits = stack.forward(batch.images, training=True)
            stack.backward(loss.gradient(logits, batch.target))
            optimizer.step()
            seen.append(logits)
        curves.append(loss.mean(concatenate(seen), pairs.in_order(order)))
    return torch.stack(curves, 1)


def _accuracies(stack: Stack, pairs: StackedPairs) -> Tensor:
    """The fraction of pairs that each network compares rightly, NaN for bad logits: `(R,)`."""
    batches = pairs.batches(EVALUATION_BATCH)
    logits = concatenate([stack.forward(each.images, training=False) for each in batches])
    right = logits.comparison.argmax(-1) == pairs.target.comparison.argmax(-1)
    finite = logits.comparison.isfinite().flatten(1).all(1)
    if logits.digits is not None:
        finite &= logits.digits.isfinite().flatten(1).all(1)
    return torch.where(finite, right.double().mean(-1), torch.nan)
