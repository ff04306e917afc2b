"""The loss of each network of a stack, and its gradient by the logits.

It is the binary cross entropy of the two comparison units against the one-hot target, averaged over
units and pairs, plus `alpha` times the cross entropies of the two digits, each averaged over pairs.
`alpha` is None for a model without an auxiliary loss.

Source: the paper's loss section. Its "Softmax then cross entropy" is one function of the logits
here, and so is its "Sigmoid then BCE".
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from digitcmp.stack import Logits


def gradient(logits: Logits, target: Logits, alpha: float | None) -> Logits:
    """The gradient of each network's loss by its logits; `target` holds one-hot rows."""
    pairs = target.comparison.shape[1]
    sigmoid = _with_zero(logits.comparison).softmax(-1)[..., 1]
    comparison = (sigmoid - target.comparison).div_(2 * pairs)
    if alpha is None or logits.digits is None or target.digits is None:
        return Logits(comparison, None)
    digits = logits.digits.softmax(-1).sub_(target.digits).mul_(alpha / pairs)
    return Logits(comparison, digits)


def mean(logits: Logits, target: Logits, alpha: float | None) -> Tensor:
    """The loss of each network, `(R,)`."""
    yes_or_no = torch.stack((1 - target.comparison, target.comparison), -1)
    comparison = _cross_entropy(_with_zero(logits.comparison), yes_or_no)
    loss = _mean_per_network(comparison)
    if alpha is not None and logits.digits is not None and target.digits is not None:
        # Both digits count whole, and the mean halves them.
        loss += 2 * alpha * _mean_per_network(_cross_entropy(logits.digits, target.digits))
    return loss


def guessing(alpha: float | None) -> float:
    """The loss of a network that knows nothing, whose logits are all equal.

    A comparison unit then costs ln 2, and each of the two digits, one of ten classes, ln 10.
    """
    return math.log(2) + 2 * (alpha or 0.0) * math.log(10)


def _with_zero(units: Tensor) -> Tensor:
    """Sigmoid units as classes of two logits, zero and the unit's: `(..., 2)`.

    PyTorch's sigmoid rounds an element by its place in the tensor (in a whole vector or in the rest
    after the last one), so that a network's bits would depend on the others in its stack. Softmax
    takes each row by itself.
    """
    return functional.pad(units[..., None], (1, 0))


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return -(target * logits.log_softmax(-1)).sum(-1)


def _mean_per_network(losses: Tensor) -> Tensor:
    # Each by itself, as the order of a sum depends on the shape of all that is summed at once.
    return torch.stack([each.mean() for each in losses])
