"""Train a network on the pairs of each seed and measure how often it compares rightly.

Source: the paper's training section: Adam, 25 epochs, reshuffled every epoch; accuracy on the test
pairs after the last epoch.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

from digitcmp.comparer import Weights, weights_of
from digitcmp.data.pairs import PairSets, PooledDigits, pair_sets
from digitcmp.stack import Stack, UnknownNetwork
from digitcmp.training import autograd, stacked
from digitcmp.training.loss import Loss

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
    weight_decay: float = 0.0
    """Adam's: each step adds this multiple of every parameter to its gradient."""


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
    weights: Callable[[], Weights] = field(default=dict, compare=False, repr=False)
    """Returns what was learned, and how pairs were normalised, see `digitcmp.comparer`."""

    @property
    def diverged(self) -> bool:
        """Whether a loss or a logit was not finite, or an epoch's mean loss hopeless."""
        return self.accuracy is None


def train(
    build: Callable[[], nn.Module],
    hyperparameters: Hyperparameters,
    digits: PooledDigits,
    seeds: Sequence[int],
    epochs: int,
    auxiliary: str = "softmax",
) -> list[TrainingResult]:
    """Train the network that `build` makes once per seed; return results in the order of the seeds.

    A network makes `digitcmp.networks.Outputs` of pairs, `(B, 2, 14, 14)`. Those whose
    layers `digitcmp.stack` knows train side by side, several times as fast; all others one after
    the other, by autograd.

    A seed fixes the pairs drawn, the initial weights, the shuffling, and what layers such as
    dropout draw. On one machine and with one thread (`torch.set_num_threads(1)`) its result is the
    same to the bit, whatever other seeds are given along. With several threads it may differ in the
    last bits: they share out the sums.

    `auxiliary` is what the auxiliary loss is made of, see `digitcmp.training.loss.Loss`. Without
    one, or at alpha 0, it changes nothing, and an Auxsiamese model is the Siamese one, to the bit.

    Raises ValueError for an unknown auxiliary loss.
    """
    loss = Loss(hyperparameters.alpha, auxiliary)
    sets = [pair_sets(digits, seed) for seed in seeds]
    networks = [initial_network(build, seed) for seed in seeds]
    rate, size = hyperparameters.learning_rate, hyperparameters.batch_size
    decay = hyperparameters.weight_decay
    learned: Callable[[], None] = lambda: None  # noqa: E731
    try:
        stack = Stack(networks)
    except UnknownNetwork:
        measured = []
        for seed, network, of_seed in zip(seeds, networks, sets, strict=True):
            with _seeded(seed):
                measured.append(
                    autograd.train(network, of_seed, loss, rate, size, seed, epochs, decay)
                )
    else:
        measured = stacked.train(stack, sets, loss, rate, size, seeds, epochs, decay)
        # Where they are asked for alone: searches throw them away.
        learned = partial(stack.write, networks)
    return [
        _result(seed, of_seed, loss, partial(_weights, learned, network, pairs))
        for seed, of_seed, network, pairs in zip(seeds, measured, networks, sets, strict=True)
    ]


def initial_network(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network with the initial weights of `seed`; leave the global generator as it was."""
    with _seeded(seed):
        return build()


def _weights(learned: Callable[[], None], network: nn.Module, pairs: PairSets) -> Weights:
    learned()
    return weights_of(network, pairs.mean, pairs.deviation)


def _result(
    seed: int, measured: autograd.Measured, loss: Loss, weights: Callable[[], Weights]
) -> TrainingResult:
    # False for a loss or an accuracy that is NaN, too.
    sound = all(mean <= HOPELESS * loss.of_guessing for mean in measured.loss_curve)
    finite = sound and measured.test <= 1 and measured.validation <= 1
    return TrainingResult(
        seed,
        measured.test if finite else None,
        measured.validation if finite else None,
        measured.wall,
        measured.cpu,
        measured.loss_curve,
        weights,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let PyTorch's global generator begin at `seed`, and restore it."""
    with _GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
