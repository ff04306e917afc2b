"""The second convolution of a CNN, by Winograd's filtering along both axes.

F(4x4, 3x3) takes 36 multiplications for what are 144 in a plain convolution, and makes a tile of
4x4 outputs of one of 6x6 inputs: exactly the maps that this layer has. A CNN spends most of its
time here.
"""

import torch
from torch import Tensor

from digitcmp.stack.layers import Weight
from digitcmp.stack.pooling import Maximum
from digitcmp.stack.winograd import transforms

POINTS = (0.0, 3 / 2, -3 / 2, 2 / 3, -2 / 3)
"""Where polynomials are multiplied, beside infinity.

These round half as much as the usual 0, 1, -1, 2, -2, and two and a half times as much as a plain
convolution does.
"""


class PooledWinograd:
    """A 3x3 convolution of 6x6 maps, max-pooled by 2.

    `(R, 36, B, C)` to `(R, 4, B, channels)`: positions come before images, so that a transform of
    all maps, along both axes, is one product with a small matrix.
    """

    def __init__(self, weight: Weight, bias: Weight) -> None:
        self.networks, self.channels = weight.value.shape[:2]
        self.weight, self.weight_gradient = (
            part.view(self.networks, -1, 9).transpose(1, 2) for part in weight
        )
        # The same all over a window, so that the maximum need not have it.
        self.bias, self.bias_gradient = bias.value[:, None, None], bias.gradient
        self.input_transform, self.kernel_transform, self.output_transform = (
            torch.kron(along_one, along_one).to(weight.value).expand(self.networks, -1, -1)
            for along_one in transforms(POINTS)
        )
        self.columns, self.rows = Maximum(4), Maximum(2)

    def forward(self, inputs: Tensor, training: bool) -> Tensor:
        images, channels = inputs.shape[2:]
        transformed = torch.bmm(self.input_transform, inputs.flatten(2))
        self.transformed_inputs = transformed.view(-1, images, channels)
        transformed = torch.bmm(self.kernel_transform, self.weight)
        self.transformed_kernel = transformed.view(-1, self.channels, channels)
        products = torch.bmm(self.transformed_inputs, self.transformed_kernel.transpose(1, 2))
        maps = torch.bmm(self.output_transform, products.view(self.networks, 36, -1))
        maximum = self.rows.forward(self.columns.forward(maps.unflatten(1, (2, 2, 2, 2))))
        return maximum.view(self.networks, 4, images, -1).add_(self.bias)

    def backward(self, gradient: Tensor) -> Tensor:
        images = gradient.shape[2]
        torch.sum(gradient.flatten(1, 2), 1, out=self.bias_gradient)
        of_rows = self.rows.backward(gradient.view(self.networks, 2, 2, -1))
        of_maps = self.columns.backward(of_rows).flatten(1, 4)
        of_products = torch.bmm(self.output_transform.transpose(1, 2), of_maps)
        of_products = of_products.view(-1, images, self.channels)
        of_kernel = torch.bmm(of_products.transpose(1, 2), self.transformed_inputs)
        of_kernel = of_kernel.view(self.networks, 36, -1)
        # This way round: the other takes six times as long.
        of_weight = torch.bmm(self.kernel_transform.transpose(1, 2), of_kernel)
        self.weight_gradient.copy_(of_weight)
        of_transformed = torch.bmm(of_products, self.transformed_kernel)
        of_transformed = of_transformed.view(self.networks, 36, -1)
        of_inputs = torch.bmm(self.input_transform.transpose(1, 2), of_transformed)
        return of_inputs.view(self.networks, 36, images, -1)
