"""The paper's loss and training loop, written plainly with autograd: what ours is held to."""

from functools import partial

import torch
from torch import Tensor, nn

from digitcmp.data.pairs import PairSet, PairSets
from digitcmp.models import build
from digitcmp.networks import Outputs
from digitcmp.training import Hyperparameters, initial_network


def random_pairs(count: int, seed: int) -> PairSet:
    """Pairs of noise: quick to make, and as good as digits where nothing is learnt."""
    generator = torch.Generator().manual_seed(seed)
    digits = torch.randint(0, 10, (count, 2), generator=generator)
    images = torch.randn(count, 2, 14, 14, generator=generator)
    return PairSet(images, digits, (digits[:, 0] <= digits[:, 1]).long())


def take(pairs: PairSet, indices: Tensor | slice) -> PairSet:
    return PairSet(pairs.images[indices], pairs.digits[indices], pairs.target[indices])


def loss_of(
    outputs: Outputs, pairs: PairSet, alpha: float | None, auxiliary: str = "softmax"
) -> Tensor:
    target = nn.functional.one_hot(pairs.target, 2).to(outputs.comparison.dtype)
    loss: Tensor = nn.BCELoss()(nn.Sigmoid()(outputs.comparison), target)
    if alpha is not None and outputs.digits is not None:
        for units, digits in zip(outputs.digits, pairs.digits.T, strict=True):
            classes = nn.Softmax(dim=1)(units) if auxiliary == "softmax" else units
            loss = loss + alpha * nn.CrossEntropyLoss()(classes, digits)
    return loss


def train(
    model: str,
    chosen: Hyperparameters,
    sets: PairSets,
    seed: int,
    epochs: int,
    auxiliary: str = "softmax",
) -> tuple[float, float, list[float]]:
    """Test accuracy, validation accuracy and loss curve of one training."""
    network = initial_network(partial(build, model), seed)
    optimizer = torch.optim.Adam(
        network.parameters(), lr=chosen.learning_rate, weight_decay=chosen.weight_decay
    )
    shuffle = torch.Generator().manual_seed(seed)
    count, curve = len(sets.train.target), []
    for _ in range(epochs):
        total = 0.0
        for indices in torch.randperm(count, generator=shuffle).split(chosen.batch_size):
            batch = take(sets.train, indices)
            loss = loss_of(network(batch.images), batch, chosen.alpha, auxiliary)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(indices)
        curve.append(total / count)
    network.eval()
    return accuracy_of(network, sets.test), accuracy_of(network, sets.validation), curve


def accuracy_of(network: nn.Module, pairs: PairSet) -> float:
    with torch.no_grad():
        said = network(pairs.images).comparison.argmax(1)
    return (said == pairs.target).double().mean().item()
