"""Max-pooling by 2, one axis after the other."""

import torch
from torch import Tensor

aten = torch.ops.aten


class Maximum:
    """The maximum over a dimension of two: neighbours along one axis of an image.

    PyTorch's own max-pooling is scalar at 32 channels, and slower than the convolution before it.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension

    def forward(self, inputs: Tensor) -> Tensor:
        """Take the larger of each two."""
        self.inputs = inputs
        return torch.maximum(*inputs.unbind(self.dimension))

    def backward(self, gradient: Tensor) -> Tensor:
        """Give the gradient of each maximum to what it was; of two equals, to the second."""
        first, second = self.inputs.unbind(self.dimension)
        of_inputs = torch.empty_like(self.inputs)
        of_first, of_second = of_inputs.unbind(self.dimension)
        aten.threshold_backward.grad_input(gradient, first - second, 0, grad_input=of_first)
        torch.sub(gradient, of_first, out=of_second)
        return of_inputs
