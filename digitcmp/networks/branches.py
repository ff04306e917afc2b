"""Networks that compare a pair of images: in one branch, or in two.

Source: the paper's model section.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, cat, nn

from digitcmp.networks.architectures import UNITS_PER_IMAGE

Architecture = Callable[[bool], tuple[nn.Module, nn.Module]]
"""Builds a trunk and a head: for a pair, `(B, 2, 14, 14)`, two units that compare it, for a single
image, `(B, 1, 14, 14)`, ten units that describe it. The argument says whether it is a pair."""


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
