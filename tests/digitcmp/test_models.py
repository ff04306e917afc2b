"""The twelve models: Table I's parameter counts, and what their names promise of the layers."""

import pytest
import torch
from torch import nn

from digitcmp.models import MODELS, build
from digitcmp.networks import TwoBranch

TABLE_I = {
    "MLP": 73_314,
    "SiameseMLP": 33_172,
    "AuxMLP": 66_302,
    "AuxsiameseMLP": 33_172,
    "CNN": 72_536,
    "SiameseCNN": 72_268,
    "AuxCNN": 144_494,
    "AuxsiameseCNN": 72_268,
    "ResNet": 75_746,
    "SiameseResNet": 77_812,
    "AuxResNet": 152_692,
    "AuxsiameseResNet": 77_812,
}
PLAIN = ("MLP", "CNN", "ResNet")
TWO_BRANCHES = [name for name in TABLE_I if name not in PLAIN]


def seeded(name: str, seed: int = 0) -> nn.Module:
    """A model in eval mode: BatchNorm then treats each image by itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(name).eval()


def pairs(count: int = 5) -> torch.Tensor:
    return torch.randn(count, 2, 14, 14, generator=torch.Generator().manual_seed(1))


def test_models_are_in_the_papers_order_and_spelling() -> None:
    assert list(MODELS) == list(TABLE_I)
    assert [spec.name for spec in MODELS.values()] == list(TABLE_I)


@pytest.mark.parametrize("name", TABLE_I)
def test_trainable_parameters_are_those_of_table_1(name: str) -> None:
    counted = sum(each.numel() for each in build(name).parameters() if each.requires_grad)
    assert counted == TABLE_I[name] == MODELS[name].parameters


@pytest.mark.parametrize("name", TABLE_I)
def test_a_model_has_what_its_name_says(name: str) -> None:
    spec = MODELS[name]
    assert spec.architecture == next(each for each in PLAIN if name.endswith(each))
    assert spec.weight_sharing == ("siamese" in name.lower())
    assert spec.auxiliary_loss == name.startswith("Aux")
    assert spec.two_branches == (name not in PLAIN)


@pytest.mark.parametrize("name", TABLE_I)
def test_shapes_of_the_logits(name: str) -> None:
    comparison, digits = seeded(name)(pairs(5))
    assert comparison.shape == (5, 2)
    if name in PLAIN:
        assert digits is None
    else:
        assert [each.shape for each in digits] == [(5, 10), (5, 10)]


@pytest.mark.parametrize("name", TWO_BRANCHES)
def test_the_two_images_are_seen_alike_only_where_weights_are_shared(name: str) -> None:
    model = seeded(name)
    first, second = model(pairs()).digits
    swapped_first, swapped_second = model(pairs().flip(1)).digits
    same = torch.allclose(first, swapped_second) and torch.allclose(second, swapped_first)
    assert same == ("siamese" in name.lower())


@pytest.mark.parametrize("name", TWO_BRANCHES)
def test_an_images_units_do_not_depend_on_the_other_image(name: str) -> None:
    model, other = seeded(name), pairs()
    other[:, 1] += 1
    torch.testing.assert_close(model(pairs()).digits[0], model(other).digits[0])
    assert not torch.allclose(model(pairs()).digits[1], model(other).digits[1])


@pytest.mark.parametrize("name", TWO_BRANCHES)
def test_the_comparison_reads_the_units_after_relu(name: str) -> None:
    model = seeded(name)
    assert isinstance(model, TwoBranch)
    comparison, (first, second) = model(pairs())
    expected = model.comparison(torch.cat([first, second], 1).clamp(min=0))
    torch.testing.assert_close(comparison, expected)
    assert (first < 0).any(), "the auxiliary outputs are the units before ReLU"


@pytest.mark.parametrize("name", ["SiameseMLP", "AuxsiameseCNN", "SiameseResNet"])
def test_a_shared_trunk_learns_from_both_images(name: str) -> None:
    model = seeded(name)
    weights = next(iter(model.parameters()))
    gradients = [
        torch.autograd.grad(model(pairs()).digits[side].square().sum(), weights)[0]
        for side in (0, 1)
    ]
    assert all(gradient.any() for gradient in gradients)


def test_trunks_of_an_aux_model_start_from_weights_of_their_own() -> None:
    for name in ("AuxMLP", "AuxCNN", "AuxResNet"):
        model = seeded(name)
        assert isinstance(model, TwoBranch)
        first, second = (next(iter(each.parameters())) for each in (model.first, model.second))
        assert first.shape == second.shape
        assert not torch.equal(first, second)


def test_the_trunks_of_auxresnet_share_their_last_layer() -> None:
    model = seeded("AuxResNet")
    layers = [each for each in model.modules() if isinstance(each, nn.Linear)]
    (shared,) = [each for each in layers if each.in_features == 288]
    assert shared.out_features == 10
    before = model(pairs()).digits
    with torch.no_grad():
        shared.bias += 1
    for units, unchanged in zip(model(pairs()).digits, before, strict=True):
        torch.testing.assert_close(units, unchanged + 1)


def test_initial_weights_are_drawn_from_the_global_generator() -> None:
    weights = [next(iter(seeded("CNN", seed).parameters())) for seed in (3, 3, 4)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="AuxSiameseCNN"):
        build("AuxSiameseCNN")
