"""What a stack does not know exactly it refuses: no layer is ever taken for another one."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from digitcmp.models import MODELS, build
from digitcmp.networks import Architecture, Network, Residual, TwoBranch, assemble, cnn, mlp, resnet
from digitcmp.stack import Stack, UnknownNetwork
from digitcmp.stack.known_layers import trunks_of
from digitcmp.training.loss import Loss
from tests.digitcmp.plain import random_pairs

ARGUMENTS: dict[str, Callable[[], nn.Module]] = {
    "Linear": lambda: nn.Linear(160, 160),
    "Bilinear": lambda: nn.Bilinear(160, 160, 160),
    "Threshold": lambda: nn.Threshold(0.0, 0.0),
    "Unflatten": lambda: nn.Unflatten(1, (160, 1)),
    "Embedding": lambda: nn.Embedding(3, 3),
}


def layers_of_torch() -> list[nn.Module]:
    """One of every layer of `torch.nn` that can be made with a few numbers."""
    made = []
    for name, kind in inspect.getmembers(nn, inspect.isclass):
        if not issubclass(kind, nn.Module) or kind is nn.Module or "Loss" in name:
            continue
        if name in ARGUMENTS:
            made.append(ARGUMENTS[name]())
            continue
        for arguments in ((), (1,), (2,), (4, 4), (4, 4, 3), (4, 4, 4, 4)):
            try:
                made.append(kind(*arguments))
            except (TypeError, ValueError, AssertionError, RuntimeError, Warning):
                continue
            break
    return made


LAYERS = layers_of_torch()


def changed(
    architecture: Architecture, change: Callable[[list[nn.Module]], list[nn.Module]]
) -> Architecture:
    """The architecture with other layers in its trunk."""

    def other(pair: bool) -> tuple[nn.Module, nn.Module]:
        trunk, head = architecture(pair)
        assert isinstance(trunk, nn.Sequential)
        return nn.Sequential(*change(list(trunk))), head

    return other


def refused(architecture: Architecture) -> bool:
    return all(
        _refused(assemble(architecture, two_branches, sharing))
        for two_branches, sharing in ((False, False), (True, False), (True, True))
    )


def _refused(network: Network) -> bool:
    try:
        Stack([network])
    except UnknownNetwork:
        return True
    return False


def with_layer(layers: list[nn.Module], place: int, layer: nn.Module) -> list[nn.Module]:
    return [*layers[:place], layer, *layers[place:]]


def test_most_layers_of_torch_were_tried() -> None:
    names = {type(layer).__name__ for layer in LAYERS}
    assert len(names) > 120
    assert names >= {"Dropout", "Tanh", "LeakyReLU", "ReLU6", "GELU", "LayerNorm", "BatchNorm1d"}
    assert names >= {"Conv2d", "AvgPool2d", "AdaptiveAvgPool2d", "Softmax", "Identity", "PReLU"}
    assert names >= {"Linear", "ReLU", "Flatten"}


@pytest.mark.parametrize(
    ("architecture", "place"),
    [(mlp, 2), (cnn, 1)]
    + [
        pytest.param(*other, marks=pytest.mark.slow)
        for other in ((mlp, 3), (cnn, 3), (cnn, 8), (resnet, 3))
    ],
)
def test_a_layer_of_torch_is_itself_or_refused(architecture: Architecture, place: int) -> None:
    """After the features of an MLP, and among the image layers of a CNN and a ResNet."""
    on_features = architecture is mlp or place == 8
    for layer in LAYERS:
        if on_features and type(layer).__name__ in ("ReLU", "Linear"):
            continue
        # A trunk that flattens twice is none of the three; an early one makes an MLP of a CNN.
        other = changed(architecture, partial(with_layer, place=place, layer=layer))
        assert refused(other), layer


@pytest.mark.parametrize("name", MODELS)
def test_the_papers_models_are_known(name: str) -> None:
    Stack([build(name)])


def of_kernel(layers: list[nn.Module], place: int, **options: Any) -> list[nn.Module]:
    """Give the convolution or the pooling at `place` other options."""
    old = layers[place]
    made: nn.Module
    if isinstance(old, nn.Conv2d):
        known = {"kernel_size": 3, "padding": old.padding} | options
        made = nn.Conv2d(old.in_channels, old.out_channels, **known)
    elif isinstance(old, nn.BatchNorm2d):
        made = nn.BatchNorm2d(old.num_features, **options)
    else:
        made = type(old)(**({"kernel_size": old.kernel_size} | options))
    return [*layers[:place], made, *layers[place + 1 :]]


OPTIONS: list[tuple[Architecture, int, dict[str, Any]]] = [
    *((cnn, place, options) for place in (0, 3) for options in (
        {"kernel_size": 1}, {"kernel_size": 5}, {"kernel_size": (3, 1)}, {"padding": 1},
        {"stride": 2}, {"dilation": 2}, {"bias": False}, {"padding_mode": "circular"},
    )),
    *((cnn, place, options) for place in (1, 4) for options in (
        {"kernel_size": 3}, {"stride": 1}, {"padding": 1}, {"dilation": 2}, {"ceil_mode": True},
    )),
    *((resnet, 0, options) for options in (
        {"kernel_size": 5, "padding": 2}, {"padding": 0}, {"stride": 2}, {"bias": False},
        {"padding_mode": "reflect"},
    )),
    *((resnet, 1, options) for options in (
        {"eps": 1e-3}, {"momentum": 0.2}, {"momentum": None}, {"affine": False},
        {"track_running_stats": False},
    )),
    *((resnet, 7, options) for options in (
        {"stride": 2}, {"padding": 1}, {"ceil_mode": True}, {"divisor_override": 3},
        {"kernel_size": (4, 2)},
    )),
]  # fmt: skip


@pytest.mark.parametrize(("architecture", "place", "options"), OPTIONS)
def test_a_layer_with_other_options_is_refused(
    architecture: Architecture, place: int, options: dict[str, Any]
) -> None:
    assert refused(changed(architecture, lambda layers: of_kernel(layers, place, **options)))


class Doubled(nn.ReLU):
    """A subclass that does something else."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(inputs)


class Widened(nn.Sequential):
    """A trunk that does something before its layers."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = super().forward(2 * inputs)
        return outputs


def hooked(layers: list[nn.Module]) -> list[nn.Module]:
    layers[1].register_forward_hook(lambda module, inputs, output: 2 * output)
    return layers


def replaced(layers: list[nn.Module]) -> list[nn.Module]:
    layers[2].forward = torch.tanh  # type: ignore[method-assign]
    return layers


def frozen(layers: list[nn.Module]) -> list[nn.Module]:
    layers[1].requires_grad_(False)
    return layers


def normalised(layers: list[nn.Module]) -> list[nn.Module]:
    nn.utils.parametrizations.weight_norm(layers[1])  # type: ignore[arg-type]
    return layers


def twice(layers: list[nn.Module]) -> list[nn.Module]:
    square = nn.Linear(160, 160)
    return [*layers[:2], square, nn.ReLU(), square, *layers[2:]]


CHANGES: dict[str, Callable[[list[nn.Module]], list[nn.Module]]] = {
    "a subclass": lambda layers: [*layers[:2], Doubled(), *layers[3:]],
    "a hook": hooked,
    "a forward of its own": replaced,
    "a frozen layer": frozen,
    "a parametrization": normalised,
    "one layer in two places": twice,
    "layers within layers": lambda layers: [layers[0], nn.Sequential(*layers[1:])],
    "no bias": lambda layers: [*layers[:1], nn.Linear(layers[1].in_features, 160, bias=False),
                               *layers[2:]],
    "a flatten of everything": lambda layers: [nn.Flatten(1, 2), nn.Flatten(1), *layers[1:]],
    "double precision": lambda layers: [layers[0], layers[1].double(), *layers[2:]],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_a_known_layer_is_refused(
    change: Callable[[list[nn.Module]], list[nn.Module]],
) -> None:
    assert refused(changed(mlp, change))


def test_a_trunk_of_another_type_is_refused() -> None:
    assert refused(lambda pair: (Widened(*mlp(pair)[0]), nn.Sequential()))


def test_a_layer_that_trunk_and_head_share_is_refused() -> None:
    def tied(pair: bool) -> tuple[nn.Module, nn.Module]:
        units = 2 if pair else 10
        square = nn.Linear(units, units)
        return nn.Sequential(*mlp(pair)[0], square), nn.Sequential(square)

    assert refused(tied)


def test_statistics_that_did_not_begin_afresh_are_refused() -> None:
    def begun(layers: list[nn.Module]) -> list[nn.Module]:
        assert isinstance(layers[1], nn.BatchNorm2d)
        layers[1].running_mean.fill_(0.5)  # type: ignore[union-attr]
        return layers

    assert refused(changed(resnet, begun))


def test_networks_that_differ_in_their_layers_are_refused() -> None:
    shorter = changed(mlp, lambda layers: [*layers[:3], nn.Linear(160, 10)])
    with pytest.raises(UnknownNetwork, match="differ in their layers"):
        Stack([build("SiameseMLP"), build("AuxMLP")])
    with pytest.raises(UnknownNetwork, match="differ in their layers"):
        Stack([build("SiameseCNN"), assemble(shorter, True, True)])
    Stack([build("SiameseMLP"), assemble(shorter, True, True)])


def deeper(network: TwoBranch) -> None:
    network.second.append(nn.Linear(10, 10))


def of_another_width(network: TwoBranch) -> None:
    network.second = nn.Sequential(nn.Flatten(), nn.Linear(196, 60), nn.ReLU(), nn.Linear(60, 10))


def by_tanh(network: TwoBranch) -> None:
    network.second[2] = nn.Tanh()


def hooked_in_the_second_trunk(network: TwoBranch) -> None:
    network.second[1].register_forward_hook(lambda module, inputs, output: 2 * output)


def hooked_parameter(network: TwoBranch) -> None:
    network.second[1].weight.register_hook(lambda gradient: 2 * gradient)


def hooked_comparison(network: TwoBranch) -> None:
    network.comparison.register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],))


def hooked_network(network: TwoBranch) -> None:
    network.register_forward_hook(lambda module, inputs, output: output)


def replaced_network(network: TwoBranch) -> None:
    network.forward = lambda pairs: pairs  # type: ignore[method-assign,assignment]


def compared_without_bias(network: TwoBranch) -> None:
    network.comparison = nn.Linear(20, 2, bias=False)


@pytest.mark.parametrize("second_network", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        deeper, of_another_width, by_tanh, hooked_in_the_second_trunk, hooked_parameter,
        hooked_comparison, hooked_network, replaced_network, compared_without_bias,
    ],
)  # fmt: skip
def test_every_part_of_every_network_is_looked_at(
    change: Callable[[TwoBranch], None], second_network: bool
) -> None:
    networks = [build("AuxMLP"), build("AuxMLP")]
    Stack(networks)
    other = networks[second_network]
    assert isinstance(other, TwoBranch)
    change(other)
    with pytest.raises(UnknownNetwork):
        Stack(networks)


@pytest.mark.parametrize("second_network", [False, True])
def test_statistics_and_options_of_the_second_trunk_are_looked_at(second_network: bool) -> None:
    networks = [build("AuxResNet"), build("AuxResNet")]
    other = networks[second_network]
    assert isinstance(other, TwoBranch)
    other.second[7].divisor_override = 3
    with pytest.raises(UnknownNetwork):
        Stack(networks)
    other.second[7].divisor_override = None
    Stack(networks)
    other.second[1].running_var.mul_(2)
    with pytest.raises(UnknownNetwork):
        Stack(networks)


def test_a_residual_block_of_other_channels_is_refused() -> None:
    def bottleneck(layers: list[nn.Module]) -> list[nn.Module]:
        block = Residual(32)
        block.convolutions = nn.Sequential(
            nn.Conv2d(32, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 32, 3, padding=1), nn.BatchNorm2d(32),
        )  # fmt: skip
        return [*layers[:3], block, *layers[4:]]

    assert refused(changed(resnet, bottleneck))


def narrow_resnet(pair: bool) -> tuple[nn.Module, nn.Module]:
    """Two channels: no layer but the first reads pixels."""
    trunk = nn.Sequential(
        nn.Conv2d(2 if pair else 1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), Residual(2),
        nn.AvgPool2d(5), nn.Flatten(), nn.Linear(8, 6), nn.ReLU(),
    )  # fmt: skip
    return trunk, nn.Linear(6, 2 if pair else 10)


def other_sizes(pair: bool) -> tuple[nn.Module, nn.Module]:
    """A CNN of other widths, with a head that is one layer."""
    trunk = nn.Sequential(
        nn.Conv2d(2 if pair else 1, 5, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(5, 3, 3),
        nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip
    return trunk, nn.Linear(12, 2 if pair else 10)


def thin(pair: bool) -> tuple[nn.Module, nn.Module]:
    """A CNN whose second convolution has one channel."""
    trunk = nn.Sequential(
        nn.Conv2d(2 if pair else 1, 4, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(4, 1, 3),
        nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip
    return trunk, nn.Linear(4, 2 if pair else 10)


def only_a_head(pair: bool) -> tuple[nn.Module, nn.Module]:
    return nn.Sequential(nn.Flatten()), nn.Linear(392 if pair else 196, 2 if pair else 10)


def ends_in_relu(pair: bool) -> tuple[nn.Module, nn.Module]:
    trunk, _ = mlp(pair)
    return trunk, nn.Sequential(nn.ReLU(), nn.ReLU())


@pytest.mark.parametrize("two_branches", [False, True])
@pytest.mark.parametrize("sharing", [False, True])
@pytest.mark.parametrize(
    "architecture", [narrow_resnet, other_sizes, thin, only_a_head, ends_in_relu]
)
def test_what_is_not_refused_is_trained_as_autograd_does(
    architecture: Architecture, sharing: bool, two_branches: bool
) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(0)
        network, loss = assemble(architecture, two_branches, sharing), Loss(0.7)
        pairs = random_pairs(9, 0)
        stack = Stack([network])
        (batch,) = stack.pairs([pairs]).batches(9)
        logits = stack.forward(batch.images, training=True)
        stack.backward(loss.gradient(logits, batch.target))
        outputs = network(pairs.images)
        loss.of_batch(outputs, pairs).backward()
        torch.testing.assert_close(logits.comparison[0], outputs.comparison)
        apart = isinstance(network, TwoBranch) and network.first is not network.second
        for parameter, weight in stack.parameters._weights.items():
            torch.testing.assert_close(weight.gradient[0], parameter.grad)
        if apart:
            for first, second in zip(*(t.parameters() for t in trunks_of(network)), strict=True):
                torch.testing.assert_close(
                    stack.parameters._weights[first].gradient[1], second.grad
                )
        found = stack.forward(batch.images, training=False).comparison[0]
        torch.testing.assert_close(found, network.eval()(pairs.images).comparison)
    finally:
        torch.set_default_dtype(torch.float32)
