"""What a layer is, and the layers that all architectures have."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

aten = torch.ops.aten


class Weight(NamedTuple):
    """A parameter and where its gradient goes: two tensors of one shape."""

    value: Tensor
    gradient: Tensor


class Layer(Protocol):
    """Turns a batch into another, and then the other's gradient into the batch's.

    Both may overwrite their arguments, so a layer before one that does keeps its inputs for the
    gradient, not its outputs.
    """

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        """Compute the outputs, and keep what the gradient needs."""

    def backward(self, gradient: Tensor) -> Tensor:
        """Turn the gradient of the last `forward`'s outputs into that of its inputs.

        The gradients of the parameters are written on the way. Nobody asks for the gradient of
        pixels: what a layer that reads them returns has no meaning.
        """


class Chain:
    """Layers one after the other."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        for layer in self.layers:
            inputs = layer.forward(inputs, training)
        return inputs

    def backward(self, gradient: Tensor) -> Tensor:
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient)
        return gradient


class Linear:
    """The linear layers of R networks: `(R, B, inputs)` to `(R, B, outputs)`."""

    def __init__(self, weight: Weight, bias: Weight, reads_pixels: bool = False) -> None:
        self.weight, self.weight_gradient = weight
        self.bias, self.bias_gradient = bias.value[:, None], bias.gradient
        self.transposed = self.weight.transpose(1, 2)
        self.reads_pixels = reads_pixels

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.inputs = inputs
        return torch.baddbmm(self.bias, inputs, self.transposed)

    def backward(self, gradient: Tensor) -> Tensor:
        torch.bmm(gradient.transpose(1, 2), self.inputs, out=self.weight_gradient)
        torch.sum(gradient, 1, out=self.bias_gradient)
        return gradient if self.reads_pixels else torch.bmm(gradient, self.weight)


class ReLU:
    """The positive part, of any shape; it overwrites its inputs, and the gradient."""

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.outputs = inputs.relu_()
        return self.outputs

    def backward(self, gradient: Tensor) -> Tensor:
        aten.threshold_backward.grad_input(gradient, self.outputs, 0, grad_input=gradient)
        return gradient


class Flatten:
    """Maps by position to features by image: `(R, positions, B, C)` to `(R, B, C * positions)`."""

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        self.channels = inputs.shape[-1]
        # A copy, but of maps that are a single value per channel or have a single channel.
        return inputs.permute(0, 2, 3, 1).flatten(2).contiguous()

    def backward(self, gradient: Tensor) -> Tensor:
        by_position: Tensor = gradient.unflatten(2, (self.channels, -1)).permute(0, 3, 1, 2)
        return by_position.contiguous()
