"""The loss: of each network of a stack with its gradient by the logits, and for autograd.

It is the binary cross entropy of the two comparison units against the one-hot target, averaged over
units and pairs, plus `alpha` times the cross entropies of the two digits, each averaged over pairs.
"Sigmoid, then BCE" is one function of the logits here.

Source: the paper's loss section.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from digitcmp.data.pairs import PairSet
from digitcmp.networks import Outputs
from digitcmp.stack import Logits

AUXILIARY = ("softmax", "logits")
"""What the auxiliary cross entropy may take for its logits, the paper's first."""


@dataclass(frozen=True)
class Loss:
    """A loss function of logits, one value for each network.

    Raises ValueError for an `auxiliary` that is not in AUXILIARY.
    """

    alpha: float | None
    """Weight of the auxiliary loss; None for a model that has none, which is the same as 0."""
    auxiliary: str = "softmax"
    """What the auxiliary cross entropy takes for its logits.

    `softmax`: the probabilities that a softmax makes of the ten units, so that there are two in a
    row. That is the paper's: its branches end in a softmax, and PyTorch's CrossEntropyLoss has one
    of its own. `logits`: the ten units themselves, as in textbooks.
    """

    def __post_init__(self) -> None:
        if self.auxiliary not in AUXILIARY:
            raise ValueError(f"auxiliary must be {' or '.join(AUXILIARY)}, not {self.auxiliary}")

    def gradient(self, logits: Logits, target: Logits) -> Logits:
        """Return the gradient of each network's loss by its logits; `target` has one-hot rows."""
        pairs = target.comparison.shape[1]
        sigmoid = _with_zero(logits.comparison).softmax(-1)[..., 1]
        comparison = (sigmoid - target.comparison).div_(2 * pairs)
        if not self.alpha or logits.digits is None or target.digits is None:
            return Logits(comparison, None)
        probabilities = logits.digits.softmax(-1)
        if self.auxiliary == "logits":
            digits = probabilities.sub_(target.digits)
        else:
            digits = probabilities.softmax(-1).sub_(target.digits).mul_(probabilities)
            digits.addcmul_(probabilities, digits.sum(-1, keepdim=True), value=-1)
        return Logits(comparison, digits.mul_(self.alpha / pairs))

    def mean(self, logits: Logits, target: Logits) -> Tensor:
        """Return the loss of each network, `(R,)`, averaged over its pairs."""
        yes_or_no = torch.stack((1 - target.comparison, target.comparison), -1)
        comparison = _cross_entropy(_with_zero(logits.comparison), yes_or_no)
        loss = _mean_per_network(comparison)
        if self.alpha and logits.digits is not None and target.digits is not None:
            digits = logits.digits
            if self.auxiliary == "softmax":
                digits = digits.softmax(-1)
            # Both digits count whole, and the mean halves them.
            loss += 2 * self.alpha * _mean_per_network(_cross_entropy(digits, target.digits))
        return loss

    def of_batch(self, outputs: Outputs, pairs: PairSet) -> Tensor:
        """Return the mean loss of one network on a batch of pairs, for autograd: a scalar."""
        target = functional.one_hot(pairs.target, 2).to(outputs.comparison)
        loss = functional.binary_cross_entropy_with_logits(outputs.comparison, target)
        if self.alpha and outputs.digits is not None:
            for units, digits in zip(outputs.digits, pairs.digits.T, strict=True):
                classes = units.softmax(-1) if self.auxiliary == "softmax" else units
                loss = loss + self.alpha * functional.cross_entropy(classes, digits)
        return loss

    @property
    def of_guessing(self) -> float:
        """The loss of a network that knows nothing, whose logits are all equal.

        A comparison unit then costs ln 2, and each of the two digits, one of ten classes, ln 10.
        """
        return math.log(2) + 2 * (self.alpha or 0.0) * math.log(10)


def _with_zero(units: Tensor) -> Tensor:
    """Return sigmoid units as classes of two logits, zero and the unit's: `(..., 2)`.

    PyTorch's sigmoid rounds an element by its place in the tensor (in a whole vector or in the rest
    after the last one), so that a network's bits would depend on the others in its stack. Softmax
    takes each row by itself.
    """
    return functional.pad(units[..., None], (1, 0))


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return -(target * logits.log_softmax(-1)).sum(-1)


def _mean_per_network(losses: Tensor) -> Tensor:
    # Each by itself, as the order of a sum depends on the shape of all that is summed at once.
    return torch.stack([of_network.mean() for of_network in losses])
