"""The paper's twelve models: {MLP, CNN, ResNet} x {plain, Siamese, Aux, Auxsiamese}.

They are a table, not twelve classes: an architecture says what the layers are, and two flags say
whether the two images share their trunk and whether the loss also names the digits. Listing them
does not load torch.

Source: the paper's model section; Table I pins every layer by its parameter counts.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitcmp.networks import Network


METHODS = {"MLP": 1, "CNN": 2, "ResNet": 2}
"""Counts, by architecture, changes to pairs, models or training that change what a training gives,
if only by rounding: trainings of an older method are not used again."""

NETWORKS_AT_ONCE = {"MLP": 10, "CNN": 5, "ResNet": 1}
"""A ResNet's convolutions are large enough by themselves."""

STEP = {"MLP": 16, "CNN": 7, "ResNet": 2}
"""Fixed cost of a training step, as the number of pairs that take as long."""

CNN_PAIRS_AT_ONCE = 256
"""Pairs of a step, over all CNNs side by side, whose maps stay in the processor's cache."""

VARIANTS = {
    "": (False, False, False), "Siamese": (True, True, False), "Aux": (True, False, True),
    "Auxsiamese": (True, True, True),
}  # fmt: skip
"""Whether models of a prefix see the two images apart, share their weights, and have an auxiliary
loss."""

UNSHARED = "Unshared"
"""Prefix of the controls: Aux models that are trained without their auxiliary loss. The paper has
no such model. Beside it one sees what weight sharing and the auxiliary loss do: a plain model
differs from theirs in seeing both images at once, too."""


@dataclass(frozen=True)
class ModelSpec:
    """One row of the table of models."""

    name: str
    architecture: str
    two_branches: bool
    """Whether the images are seen apart: so in all but the plain models."""
    weight_sharing: bool
    auxiliary_loss: bool
    parameters: int
    """Trainable parameters. Source: Table I."""
    method: int | str
    """Names the way in which it is trained: another where that changes what a training gives."""

    @property
    def is_control(self) -> bool:
        """Whether it is an Aux model without its auxiliary loss."""
        return self.two_branches and not (self.weight_sharing or self.auxiliary_loss)

    def networks_at_once(self, batch_size: int) -> int:
        """Return how many networks gain from being trained side by side."""
        networks = NETWORKS_AT_ONCE.get(self.architecture, 1)
        if self.architecture == "CNN":
            networks = min(networks, CNN_PAIRS_AT_ONCE // batch_size)
        return max(1, networks)

    def cost(self, batch_size: int) -> float:
        """Return how long a training takes, in any unit: small batches need more steps."""
        return 1 + STEP.get(self.architecture, 1) / batch_size


def _table() -> dict[str, ModelSpec]:
    parameters = {
        "MLP": (73_314, 33_172, 66_302, 33_172),
        "CNN": (72_536, 72_268, 144_494, 72_268),
        "ResNet": (75_746, 77_812, 152_692, 77_812),
    }
    return {
        prefix + architecture: ModelSpec(
            prefix + architecture, architecture, *variant, count, METHODS[architecture]
        )
        for architecture, counts in parameters.items()
        for (prefix, variant), count in zip(VARIANTS.items(), counts, strict=True)
    }


MODELS: dict[str, ModelSpec] = _table()
"""Every model by its name, in the paper's order and spelling."""


CONTROLS: dict[str, ModelSpec] = {
    UNSHARED + architecture: replace(
        MODELS["Aux" + architecture], name=UNSHARED + architecture, auxiliary_loss=False
    )
    for architecture in METHODS
}
"""The controls by name: not in the paper, they are compared with its models."""


def build(name: str) -> "Network":
    """Build the model called `name` with PyTorch's default initial weights.

    They are drawn from PyTorch's global generator: seed it first. Raises KeyError for a name that
    is neither in `MODELS` nor in `CONTROLS`.
    """
    from digitcmp.networks import ARCHITECTURES, assemble

    spec = (MODELS | CONTROLS)[name]
    return assemble(ARCHITECTURES[spec.architecture], spec.two_branches, spec.weight_sharing)
