"""The paper's twelve models: {MLP, CNN, ResNet} x {plain, Siamese, Aux, Auxsiamese}.

They are a table, not twelve classes: an architecture says what the layers are, and two flags say
whether the two images share their trunk and whether the loss also names the digits.

Source: the paper's model section; Table I pins every layer by its parameter counts.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, cat, nn

from digitcmp.architectures import ARCHITECTURES, UNITS_PER_IMAGE


@dataclass(frozen=True)
class ModelSpec:
    """One row of the table of models."""

    name: str
    architecture: str
    weight_sharing: bool
    auxiliary_loss: bool
    parameters: int
    """Trainable parameters. Source: Table I."""

    @property
    def two_branches(self) -> bool:
        """Whether the images are seen apart: so in all but the plain models."""
        return self.weight_sharing or self.auxiliary_loss


class Outputs(NamedTuple):
    """What a model says of a batch of pairs: logits, all of them."""

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


def _table() -> dict[str, ModelSpec]:
    parameters = {
        "MLP": (73_314, 33_172, 66_302, 33_172),
        "CNN": (72_536, 72_268, 144_494, 72_268),
        "ResNet": (75_746, 77_812, 152_692, 77_812),
    }
    prefixes = ("", "Siamese", "Aux", "Auxsiamese")
    return {
        prefix + architecture: ModelSpec(
            name=prefix + architecture,
            architecture=architecture,
            weight_sharing=prefix.lower().endswith("siamese"),
            auxiliary_loss=prefix.startswith("Aux"),
            parameters=count,
        )
        for architecture, counts in parameters.items()
        for prefix, count in zip(prefixes, counts, strict=True)
    }


MODELS: dict[str, ModelSpec] = _table()
"""Every model by its name, in the paper's order and spelling."""


def build(name: str) -> OneBranch | TwoBranch:
    """Build the model called `name` with PyTorch's default initial weights.

    They are drawn from PyTorch's global generator: seed it first. Raises KeyError for a name that
    is not in `MODELS`.
    """
    spec = MODELS[name]
    layers = ARCHITECTURES[spec.architecture]
    if not spec.two_branches:
        return OneBranch(*layers(True))
    trunk, head = layers(False)
    return TwoBranch(trunk, trunk if spec.weight_sharing else layers(False)[0], head)
