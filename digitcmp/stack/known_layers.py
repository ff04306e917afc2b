"""Which networks a stack trains exactly as autograd does; it refuses all others.

A stack has layers of its own. Each stands for one PyTorch layer with the options that are named
here: with another option, in a subclass or with a hook, it would silently give another result.
"""

from collections.abc import Sequence

import torch
from torch import nn

from digitcmp.networks import Network, OneBranch, Residual, TwoBranch
from digitcmp.stack.winograd_rows import SIZE


class UnknownNetwork(TypeError):
    """No stack trains this network; the message names what it does not know."""


def require_known(models: Sequence[nn.Module]) -> list[Network]:
    """Return the models, or raise UnknownNetwork where a stack would not train them exactly.

    Every layer of each has to be known, and be trained. The models must differ in their parameters
    alone, and so must the trunks of a model. No parameter may be used in two places, but for those
    of a trunk that both branches share.
    """
    networks = [_network(model) for model in models]
    trunks = [trunk for network in networks for trunk in trunks_of(network)]
    heads = [network.head for network in networks]
    kinds_of_networks = {(type(network), len(trunks_of(network))) for network in networks}
    if any(len(alike) > 1 for alike in (
        kinds_of_networks, set(map(_description, trunks)), set(map(_description, heads)),
    )):  # fmt: skip
        raise UnknownNetwork("networks, or trunks of one, that differ in their layers")
    return networks


def _network(model: nn.Module) -> Network:
    if not (type(model) is OneBranch or type(model) is TwoBranch):
        raise UnknownNetwork(f"a network of type {type(model).__name__}")
    _require_plain(model)
    parts = [*trunks_of(model), model.head]
    if isinstance(model, TwoBranch):
        parts.append(model.comparison)
        if kind(model.comparison) != "linear":
            raise UnknownNetwork(f"a comparison by {model.comparison}")
    parameters = [
        parameter
        for part in parts
        for _, parameter in part.named_parameters(remove_duplicate=False)
    ]
    if len({id(parameter) for parameter in parameters}) < len(parameters):
        raise UnknownNetwork("a parameter that is used in two places")
    for parameter in parameters:
        # Exactly this type: a lazy layer's parameters have no values yet.
        is_trained = type(parameter) is nn.Parameter and parameter.requires_grad
        is_plain = not (parameter._backward_hooks or parameter._post_accumulate_grad_hooks)
        if not (is_trained and is_plain and parameter.dtype == torch.get_default_dtype()):
            raise UnknownNetwork("a parameter that is frozen, lazy, hooked or of another precision")
    return model


def _description(part: nn.Module) -> tuple[object, ...]:
    """Describe all of a trunk or a head but the values of its parameters."""
    layers = layers_of(part)
    shapes = tuple(parameter.shape for parameter in part.parameters())
    return (*kinds(layers), *map(str, layers), *shapes)


def trunks_of(model: Network) -> list[nn.Module]:
    """Return the trunks of a network, each once."""
    if isinstance(model, OneBranch):
        return [model.trunk]
    return [model.first] if model.first is model.second else [model.first, model.second]


def layers_of(part: nn.Module) -> list[nn.Module]:
    """Return the layers of a trunk or a head in order; one that is used twice is there twice."""
    if type(part) is not nn.Sequential:
        return [part]
    _require_plain(part)
    return list(part)


def kind(layer: nn.Module) -> str:
    """Name the layer of the stack that stands for `layer`. Raises UnknownNetwork."""
    _require_plain(layer)
    # Exactly these types: a subclass may do anything.
    match type(layer), layer:
        case nn.Linear, nn.Linear(bias=nn.Parameter()):
            return "linear"
        case nn.ReLU, _:
            return "ReLU"
        case nn.Flatten, nn.Flatten(start_dim=1, end_dim=-1):
            return "flatten"
        case nn.MaxPool2d, nn.MaxPool2d(
            kernel_size=2, stride=2, padding=0, dilation=1, return_indices=False, ceil_mode=False
        ):
            return "max-pooling"
        case nn.AvgPool2d, nn.AvgPool2d(
            kernel_size=int(size), stride=stride, padding=0, ceil_mode=False, divisor_override=None
        ) if stride == size <= SIZE:
            return "average-pooling"
        case nn.BatchNorm2d, nn.BatchNorm2d(
            eps=1e-5, momentum=0.1, affine=True, track_running_stats=True
        ) if _is_fresh(layer):
            return "batch normalisation"
        case nn.Conv2d, nn.Conv2d(
            kernel_size=(3, 3), stride=(1, 1), dilation=(1, 1), groups=1, padding_mode="zeros",
            bias=nn.Parameter(),
        ):  # fmt: skip
            if layer.padding in ((0, 0), (1, 1)):
                return "convolution" if layer.padding == (0, 0) else "padded convolution"
        case _ if type(layer) is Residual and _is_residual(layer):
            return "residual"
    raise UnknownNetwork(f"a layer {layer}")


def kinds(layers: Sequence[nn.Module]) -> list[str]:
    """Name the layers of the stack that stand for `layers`. Raises UnknownNetwork."""
    return [kind(layer) for layer in layers]


def _is_residual(block: Residual) -> bool:
    """Whether a block has the paper's layers, and as many channels all through."""
    layers = layers_of(block.convolutions)
    channels = {
        count
        for layer in layers
        if isinstance(layer, nn.Conv2d)
        for count in (layer.in_channels, layer.out_channels)
    }
    return len(channels) == 1 and [*kinds(layers), kind(block.activation)] == [
        "padded convolution", "batch normalisation", "ReLU",
        "padded convolution", "batch normalisation", "ReLU",
    ]  # fmt: skip


def _is_fresh(layer: nn.BatchNorm2d) -> bool:
    """Whether the running statistics are those that training begins with."""
    mean, variance = layer.running_mean, layer.running_var
    assert mean is not None
    assert variance is not None
    return not mean.any() and bool((variance == 1).all())


def _require_plain(layer: nn.Module) -> None:
    hooks = (
        layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks,
        layer._backward_pre_hooks,
    )  # fmt: skip
    if any(hooks) or "forward" in vars(layer):
        raise UnknownNetwork(f"a layer {layer} with hooks")
