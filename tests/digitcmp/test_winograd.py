"""Convolutions in fewer multiplications, and what their rounding costs."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from digitcmp.stack import cnn, winograd
from digitcmp.stack.layers import Weight
from digitcmp.stack.winograd import transforms

NETWORKS, IMAGES, CHANNELS = 3, 32, 32


@pytest.mark.parametrize("points", [cnn.POINTS, winograd.POINTS])
def test_a_convolution_along_one_axis(points: Sequence[float]) -> None:
    inputs, kernel, outputs = transforms(points)
    generator = torch.Generator().manual_seed(0)
    pixels, weights = (
        torch.randn(count, generator=generator, dtype=torch.float64)
        for count in (len(points) + 1, 3)
    )
    found = outputs @ ((kernel @ weights) * (inputs @ pixels))
    torch.testing.assert_close(found, pixels.unfold(0, 3, 1) @ weights)


def test_a_cnns_rounds_little_more_than_a_plain_convolution() -> None:
    """On what comes out of a ReLU, with weights as PyTorch draws them at first."""
    maps, weights = maps_and_weights(6, 64)
    bias = torch.zeros(NETWORKS, 64)
    layer = cnn.PooledWinograd(Weight(weights, weights.clone()), Weight(bias, bias.clone()))
    found = layer.forward(maps.flatten(3).permute(0, 3, 1, 2).contiguous(), training=True)
    exact = pooled(maps.double(), weights.double())
    assert error(found, exact) < 4 * error(pooled(maps, weights), exact)


def test_a_resnets_rounds_little_more_than_a_plain_convolution() -> None:
    """So do its gradients, given one of every pixel at random."""
    maps, weights = (each[0] for each in maps_and_weights(14, CHANNELS))
    gradient = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1))
    layer = winograd.Convolution(Weight(weights, torch.empty_like(weights)))
    found = [
        layer.forward(positions_first(maps), training=True),
        layer.backward(positions_first(gradient)),
        layer.weight_gradient.view_as(weights),
    ]
    plain = plainly(maps, weights, gradient)
    exact = plainly(maps.double(), weights.double(), gradient.double())
    for ours, theirs, true in zip(found, plain, exact, strict=True):
        assert error(ours, true) < 5 * error(theirs, true)


def maps_and_weights(size: int, channels: int) -> tuple[Tensor, Tensor]:
    """`(R, B, C, size, size)` and `(R, channels, C, 3, 3)`."""
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(NETWORKS, IMAGES, CHANNELS, size, size, generator=generator).relu()
    weights = torch.rand(NETWORKS, channels, CHANNELS, 3, 3, generator=generator)
    return maps, weights.sub_(0.5).mul_(0.12)


def pooled(maps: Tensor, weights: Tensor) -> Tensor:
    """What a CNN's layer computes, plainly: `(R, 4, B, channels)`."""
    convolved = [functional.conv2d(*each) for each in zip(maps, weights, strict=True)]
    return (
        functional.max_pool2d(torch.cat(convolved), 2)
        .view(NETWORKS, IMAGES, -1, 4)
        .permute(0, 3, 1, 2)
    )


def plainly(maps: Tensor, weights: Tensor, gradient: Tensor) -> list[Tensor]:
    """What a ResNet's layer computes: its outputs, and the gradients of its inputs and weights."""
    maps, weights = maps.clone().requires_grad_(), weights.clone().requires_grad_()
    outputs = functional.conv2d(maps, weights, padding=1)
    outputs.backward(gradient)
    return [positions_first(outputs.detach()), positions_first(maps.grad), weights.grad]


def positions_first(maps: Tensor) -> Tensor:
    """`(B, C, H, W)` as `(H, W, B, C)`."""
    return maps.permute(2, 3, 0, 1).contiguous()


def error(found: Tensor, exact: Tensor) -> float:
    """The root of the mean square of the error."""
    return (found.double() - exact).square().mean().sqrt().item()
