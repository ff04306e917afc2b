"""The networks: three architectures, and one or two branches that are made of them.

An architecture is the layers that turn an image into units: a trunk makes features of an image, a
head turns features into units. Where two images have trunks of their own, the head is what they may
still share.

Source: the paper's model section; the layer sizes follow from Table I's parameter counts.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, cat, nn

Architecture = Callable[[bool], tuple[nn.Module, nn.Module]]
"""Builds a trunk and a head: for a pair, `(B, 2, 14, 14)`, two units that compare it, for a single
image, `(B, 1, 14, 14)`, ten units that describe it. The argument says whether it is a pair."""

UNITS_PER_IMAGE = 10
"""One for each digit class: the auxiliary loss reads them as logits."""


class Residual(nn.Module):
    """Two 3x3 convolutions with batch normalisation and a skip: `(B, C, H, W)` to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )
        self.activation = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Add what the convolutions find to `images`."""
        activated: Tensor = self.activation(self.convolutions(images) + images)
        return activated


def mlp(pair: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """Return trunk and head of an MLP: two or three linear layers on the pixels."""
    sizes = (2 * 14 * 14, 160, 64, 2) if pair else (14 * 14, 160, UNITS_PER_IMAGE)
    return nn.Sequential(nn.Flatten(), *_linear(*sizes)), nn.Sequential()


def cnn(pair: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """Return trunk and head of a CNN: two max-pooled convolutions, then linear layers."""
    sizes = (256, 200, UNITS_PER_IMAGE, 2) if pair else (256, 200, UNITS_PER_IMAGE)
    trunk = nn.Sequential(
        nn.Conv2d(2 if pair else 1, 32, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        *_linear(*sizes),
    )
    return trunk, nn.Sequential()


def resnet(pair: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """Return trunk and head of a ResNet: four residual blocks; the one linear layer is the head."""
    trunk = nn.Sequential(
        nn.Conv2d(2 if pair else 1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        *(Residual(32) for _ in range(4)),
        nn.AvgPool2d(4),
        nn.Flatten(),
    )
    return trunk, nn.Sequential(nn.Linear(288, 2 if pair else UNITS_PER_IMAGE))


def _linear(*sizes: int) -> list[nn.Module]:
    """Return linear layers of these sizes, with a ReLU between each two."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]


ARCHITECTURES: dict[str, Architecture] = {"MLP": mlp, "CNN": cnn, "ResNet": resnet}


class Outputs(NamedTuple):
    """What a network makes of a batch of pairs: logits, all of them."""

    comparison: Tensor
    """`(B, 2)`: unit 1 stands for "first digit <= second digit", unit 0 for "greater"."""
    digits: tuple[Tensor, Tensor] | None
    """`(B, 10)` for the first images and for the second; None for a plain model."""


class OneBranch(nn.Module):
    """A plain model: the pair is one image of two channels."""

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head

    def forward(self, pairs: Tensor) -> Outputs:
        """Compare `pairs`, `(B, 2, 14, 14)`."""
        return Outputs(self.head(self.trunk(pairs)), None)


class TwoBranch(nn.Module):
    """A model that sees the two images apart and compares ten units of each.

    With weight sharing `first` and `second` are one trunk. The head is always shared: only
    AuxResNet has layers in it that its two trunks do not share already.
    """

    def __init__(self, first: nn.Module, second: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.head = head
        self.comparison = nn.Linear(2 * UNITS_PER_IMAGE, 2)

    def forward(self, pairs: Tensor) -> Outputs:
        """Compare `pairs`, `(B, 2, 14, 14)`; the auxiliary outputs are the units before ReLU."""
        first = self.head(self.first(pairs[:, :1]))
        second = self.head(self.second(pairs[:, 1:]))
        return Outputs(self.comparison(cat((first, second), dim=1).relu()), (first, second))


Network = OneBranch | TwoBranch


def assemble(architecture: Architecture, two_branches: bool, weight_sharing: bool) -> Network:
    """Build a network with PyTorch's default initial weights.

    They are drawn from PyTorch's global generator: seed it first.
    """
    if not two_branches:
        return OneBranch(*architecture(True))
    trunk, head = architecture(False)
    return TwoBranch(trunk, trunk if weight_sharing else architecture(False)[0], head)
