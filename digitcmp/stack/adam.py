"""Adam with PyTorch's defaults, on one flat tensor."""

import torch
from torch import Tensor


class Adam:
    """Moves `values` against `gradients`, in place.

    It is the kernel of `torch.optim.Adam(fused=True)` without the class around it, which imports a
    compiler (2 s) and takes longer for each step of a small network than the kernel does.
    `tests/digitcmp/test_stack.py` holds it to that class.
    """

    def __init__(
        self, values: Tensor, gradients: Tensor, learning_rate: float, weight_decay: float = 0.0
    ) -> None:
        self.values, self.gradients = values, gradients
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.mean, self.square = torch.zeros_like(values), torch.zeros_like(values)
        self.steps = torch.zeros(())

    def step(self) -> None:
        """Take one step."""
        self.steps += 1
        torch._fused_adam_(
            [self.values], [self.gradients], [self.mean], [self.square], [], [self.steps],
            lr=self.learning_rate, beta1=0.9, beta2=0.999, weight_decay=self.weight_decay,
            eps=1e-8, amsgrad=False, maximize=False,
        )  # fmt: skip
