"""Max-pooling by 2."""

import torch
from torch import Tensor

aten = torch.ops.aten


class Windows:
    """Pooling windows by their corners: four tensors of one shape, row by row.

    PyTorch's own max-pooling is scalar at 32 channels, and slower than the convolution before it.
    """

    def __init__(self, *corners: Tensor) -> None:
        self.corners = corners

    def maximum(self) -> Tensor:
        """The maximum of each window."""
        self.upper, self.lower = (torch.maximum(*self.corners[i : i + 2]) for i in (0, 2))
        return torch.maximum(self.upper, self.lower)

    def backward(self, gradient: Tensor, *of_corners: Tensor) -> None:
        """Write the gradient of the maxima to where they are; of equals, to the last."""
        of_upper, of_lower = torch.empty_like(gradient), torch.empty_like(gradient)
        _share(gradient, self.upper, self.lower, of_upper, of_lower)
        _share(of_upper, *self.corners[:2], *of_corners[:2])
        _share(of_lower, *self.corners[2:], *of_corners[2:])


def _share(
    gradient: Tensor, left: Tensor, right: Tensor, of_left: Tensor, of_right: Tensor
) -> None:
    """Write the gradient of `maximum(left, right)`."""
    aten.threshold_backward.grad_input(gradient, left - right, 0, grad_input=of_left)
    torch.sub(gradient, of_left, out=of_right)
