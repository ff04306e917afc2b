"""The paper's twelve models: {MLP, CNN, ResNet} x {plain, Siamese, Aux, Auxsiamese}.

They are a table, not twelve classes: an architecture says what the layers are, and two flags say
whether the two images share their trunk and whether the loss also names the digits. Listing them
does not load torch.

Source: the paper's model section; Table I pins every layer by its parameter counts.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitcmp.networks.branches import Network


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


def build(name: str) -> "Network":
    """Build the model called `name` with PyTorch's default initial weights.

    They are drawn from PyTorch's global generator: seed it first. Raises KeyError for a name that
    is not in `MODELS`.
    """
    from digitcmp.networks.architectures import ARCHITECTURES
    from digitcmp.networks.branches import assemble

    spec = MODELS[name]
    return assemble(ARCHITECTURES[spec.architecture], spec.two_branches, spec.weight_sharing)
