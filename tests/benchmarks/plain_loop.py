"""The training loop that a reader of the paper would write: what ours is measured against."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from digitcmp.data.pairs import PairSets
from digitcmp.models import MODELS, build
from digitcmp.training import Hyperparameters, initial_network


def train(
    model: str, hyperparameters: Hyperparameters, sets: PairSets, seed: int, epochs: int
) -> float:
    """Train on the pairs of one seed; the accuracy on its test pairs."""
    network = initial_network(partial(build, model), seed)
    alpha = hyperparameters.alpha if MODELS[model].auxiliary_loss else None
    optimizer = torch.optim.Adam(network.parameters(), lr=hyperparameters.learning_rate)
    one_hot = nn.functional.one_hot(sets.train.target, 2).float()
    pairs = TensorDataset(sets.train.images, sets.train.digits, one_hot)
    shuffle = torch.Generator().manual_seed(seed)
    loader = DataLoader(pairs, hyperparameters.batch_size, shuffle=True, generator=shuffle)
    step = step_of(network, alpha)
    network.train()
    for _ in range(epochs):
        for images, digits, target in loader:
            optimizer.zero_grad()
            step(images, digits, target)
            optimizer.step()
    network.eval()
    with torch.no_grad():
        guessed = network(sets.test.images).comparison.argmax(1)
    return (guessed == sets.test.target).double().mean().item()


def step_of(network: nn.Module, alpha: float | None) -> Callable[..., None]:
    """The forward and the backward pass of one batch."""
    sigmoid, comparison_loss = nn.Sigmoid(), nn.BCELoss()
    # The paper's: the second softmax is in the loss.
    softmax, digit_loss = nn.Softmax(dim=1), nn.CrossEntropyLoss()

    def step(images: torch.Tensor, digits: torch.Tensor, target: torch.Tensor) -> None:
        outputs = network(images)
        loss = comparison_loss(sigmoid(outputs.comparison), target)
        if alpha is not None:
            first, second = (softmax(units) for units in outputs.digits)
            loss = loss + alpha * (
                digit_loss(first, digits[:, 0]) + digit_loss(second, digits[:, 1])
            )
        loss.backward()

    return step
