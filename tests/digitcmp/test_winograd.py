"""A convolution in fewer multiplications, and what its rounding costs."""

import torch
from torch import Tensor
from torch.nn import functional

from digitcmp.stack.layers import Weight
from digitcmp.stack.winograd import PooledWinograd, transforms

NETWORKS, IMAGES, CHANNELS = 3, 32, 32


def test_a_convolution_along_one_axis() -> None:
    inputs, kernel, outputs = transforms()
    generator = torch.Generator().manual_seed(0)
    pixels, weights = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (6, 3))
    found = outputs @ ((kernel @ weights) * (inputs @ pixels))
    torch.testing.assert_close(found, pixels.unfold(0, 3, 1) @ weights)


def test_it_rounds_little_more_than_a_plain_convolution() -> None:
    """On what comes out of a ReLU, with weights as PyTorch draws them at first."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(NETWORKS, IMAGES, CHANNELS, 6, 6, generator=generator).relu()
    weights = torch.rand(NETWORKS, 64, CHANNELS, 3, 3, generator=generator).sub_(0.5).mul_(0.12)
    bias = torch.zeros(NETWORKS, 64)
    layer = PooledWinograd(Weight(weights, weights.clone()), Weight(bias, bias.clone()))
    found = layer.forward(maps.flatten(3).permute(0, 3, 1, 2).contiguous(), training=True)
    exact = pooled(maps.double(), weights.double())
    assert error(found.double(), exact) < 4 * error(pooled(maps, weights).double(), exact)


def pooled(maps: Tensor, weights: Tensor) -> Tensor:
    """What the layer computes, plainly: `(R, 4, B, channels)`."""
    convolved = [functional.conv2d(*each) for each in zip(maps, weights, strict=True)]
    return (
        functional.max_pool2d(torch.cat(convolved), 2)
        .view(NETWORKS, IMAGES, -1, 4)
        .permute(0, 3, 1, 2)
    )


def error(found: Tensor, exact: Tensor) -> float:
    """The root of the mean square of the error."""
    return (found - exact).square().mean().sqrt().item()
