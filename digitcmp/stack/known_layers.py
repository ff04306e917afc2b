"""Which networks a stack trains exactly as autograd does; it refuses all others.

A stack has layers of its own. Each stands for one PyTorch layer with the options that are named
here: with another option, in a subclass or with a hook, it would silently give another result.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from digitcmp.networks import Network, OneBranch, Residual, TwoBranch
from digitcmp.stack.winograd import SIZE


class UnknownNetwork(TypeError):
    """No stack trains this network; the message names what it does not know."""


def require_known(models: Sequence[nn.Module]) -> list[Network]:
    """Return the models, or raise UnknownNetwork where a stack would not train them exactly.

    Every layer of each has to be known, and be trained. The models must differ in their parameters
    alone, and so must the trunks of a model. No parameter may be used in two places, but for those
    of a trunk that both branches share.
    """
    networks = [_network(model) for model in models]
    kinds = {(type(network), len(trunks_of(network))) for network in networks}
    trunks = {_description(trunk) for network in networks for trunk in trunks_of(network)}
    heads = {_description(network.head) for network in networks}
    if any(len(alike) > 1 for alike in (kinds, trunks, heads)):
        raise UnknownNetwork("networks, or trunks of one, that differ in their layers")
    return networks


def trunks_of(model: Network) -> list[nn.Module]:
    """Return the trunks of a network, each once."""
    if isinstance(model, OneBranch):
        return [model.trunk]
    return [model.first] if model.first is model.second else [model.first, model.second]


def layers_of(part: nn.Module) -> list[nn.Module]:
    """Return the layers of a trunk or a head in order; one that is used twice is there twice.

    Raises UnknownNetwork where one is not known.
    """
    layers = [part]
    if type(part) is nn.Sequential:
        _require_plain(part)
        layers = list(part)
    for layer in layers:
        _require_plain(layer)
        if not _is_known(layer):
            raise UnknownNetwork(f"a layer {layer}")
    return layers


def _network(model: nn.Module) -> Network:
    if not (type(model) is OneBranch or type(model) is TwoBranch):
        raise UnknownNetwork(f"a network of type {type(model).__name__}")
    _require_plain(model)
    parts = [*trunks_of(model), model.head]
    if isinstance(model, TwoBranch):
        parts.append(model.comparison)
        if list(map(type, layers_of(model.comparison))) != [nn.Linear]:
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
    shapes = (parameter.shape for parameter in part.parameters())
    return (*map(str, layers_of(part)), *shapes)


def _is_known(layer: nn.Module) -> bool:
    # Exactly these types: a subclass may do anything.
    match type(layer), layer:
        case (nn.Linear, nn.Linear(bias=nn.Parameter())) | (nn.ReLU, _):
            return True
        case nn.Flatten, nn.Flatten(start_dim=1, end_dim=-1):
            return True
        case nn.MaxPool2d, nn.MaxPool2d(
            kernel_size=2, stride=2, padding=0, dilation=1, return_indices=False, ceil_mode=False
        ):
            return True
        case nn.AvgPool2d, nn.AvgPool2d(
            kernel_size=int(size), stride=stride, padding=0, ceil_mode=False, divisor_override=None
        ):
            return bool(stride == size <= SIZE)
        case nn.BatchNorm2d, nn.BatchNorm2d(
            eps=1e-5, momentum=0.1, affine=True, track_running_stats=True,
            running_mean=Tensor() as mean, running_var=Tensor() as variance,
        ):  # fmt: skip
            # Training begins with these.
            return not mean.any() and not (variance - 1).any()
        case nn.Conv2d, nn.Conv2d(
            kernel_size=(3, 3), stride=(1, 1), padding=(0, 0) | (1, 1), dilation=(1, 1), groups=1,
            padding_mode="zeros", bias=nn.Parameter(),
        ):  # fmt: skip
            return True
        case _ if type(layer) is Residual:
            return _is_residual(layer)
    return False


def _is_residual(block: Residual) -> bool:
    """Return whether a block has the paper's layers, and as many channels all through."""
    match [*layers_of(block.convolutions), *layers_of(block.activation)]:
        case [
            nn.Conv2d(padding=(1, 1)) as first, nn.BatchNorm2d(), nn.ReLU(),
            nn.Conv2d(padding=(1, 1)) as second, nn.BatchNorm2d(), nn.ReLU(),
        ]:  # fmt: skip
            channels = {first.in_channels, first.out_channels}
            return len(channels | {second.in_channels, second.out_channels}) == 1
    return False


def _require_plain(layer: nn.Module) -> None:
    hooks = (
        layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks,
        layer._backward_pre_hooks,
    )  # fmt: skip
    if any(hooks) or "forward" in vars(layer):
        raise UnknownNetwork(f"a layer {layer} with hooks")
