"""The three architectures, as the layers that turn an image into units.

Every builder gives `(trunk, head)`: the trunk makes features of an image, the head turns features
into units. Where two images have trunks of their own, the head is what they may still share.

Source: the paper's model section; the layer sizes follow from Table I's parameter counts.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn

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
    """Two or three linear layers on the pixels."""
    sizes = (2 * 14 * 14, 160, 64, 2) if pair else (14 * 14, 160, UNITS_PER_IMAGE)
    return nn.Sequential(nn.Flatten(), *_linear(*sizes)), nn.Sequential()


def cnn(pair: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """Two convolutions, each followed by max-pooling, and linear layers on 256 features."""
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
    """Four residual blocks of 32 channels; the one linear layer is the head."""
    trunk = nn.Sequential(
        nn.Conv2d(2 if pair else 1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        *(Residual(32) for _ in range(4)),
        nn.AvgPool2d(4),
        nn.Flatten(),
    )
    return trunk, nn.Sequential(nn.Linear(288, 2 if pair else UNITS_PER_IMAGE))


ARCHITECTURES: dict[str, Callable[[bool], tuple[nn.Sequential, nn.Sequential]]] = {
    "MLP": mlp,
    "CNN": cnn,
    "ResNet": resnet,
}
"""Builders by name. Each takes whether its input is a pair, `(B, 2, 14, 14)`, compared by two
units, or one image, `(B, 1, 14, 14)`, described by ten."""


def _linear(*sizes: int) -> list[nn.Module]:
    """Linear layers of these sizes with a ReLU between each two."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]
