"""The paper's experiment: its numbers, its options, and the fingerprints of its trainings."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from torch import nn

from digitcmp.models import CONTROLS, METHODS, MODELS, ModelSpec
from studies import Stage, paper
from studies.display.errors import UsageError
from studies.experiment.options import resolve
from studies.experiment.study import Cell, GridStudy, chain, grid_study
from studies.paper import GUESSING, PairTraining, experiment, variants_of
from studies.search.grid_sampler import Grid
from studies.search.provenance import Data, study_attributes

RATES = (5e-3, 1e-3, 5e-4, 1e-4)
SIZES = (8, 16, 32, 64, 128)
ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

TABLE_I = """
| MLP | 5e-4 | 8 | - | 0.813 ± 0.006 | 8.386 ± 0.395 |
| SiameseMLP | 5e-3 | 8 | - | 0.847 ± 0.012 | 11.090 ± 0.619 |
| AuxMLP | 5e-3 | 16 | 0.9 | 0.856 ± 0.011 | 7.304 ± 0.377 |
| AuxsiameseMLP | 5e-3 | 8 | 0.7 | 0.873 ± 0.015 | 11.222 ± 0.601 |
| CNN | 5e-4 | 16 | - | 0.822 ± 0.010 | 10.222 ± 0.533 |
| SiameseCNN | 1e-3 | 16 | - | 0.854 ± 0.007 | 15.610 ± 0.626 |
| AuxCNN | 5e-4 | 8 | 1.0 | 0.865 ± 0.011 | 34.437 ± 1.419 |
| AuxsiameseCNN | 5e-3 | 32 | 0.6 | 0.905 ± 0.014 | 10.415 ± 0.513 |
| ResNet | 1e-3 | 16 | - | 0.840 ± 0.014 | 56.378 ± 0.971 |
| SiameseResNet | 1e-3 | 16 | - | 0.878 ± 0.009 | 102.985 ± 1.366 |
| AuxResNet | 1e-3 | 64 | 0.7 | 0.866 ± 0.019 | 131.947 ± 4.006 |
| AuxsiameseResNet | 1e-3 | 16 | 0.8 | 0.911 ± 0.017 | 102.064 ± 1.599 |
"""
"""Model, learning rate, batch size, alpha, accuracy, seconds, as printed."""

DEFAULT = experiment()


def test_the_defaults_are_the_papers() -> None:
    assert DEFAULT.name == "paper"
    # The paper's twelve, then three of ours.
    assert list(DEFAULT.models) == [*MODELS, *CONTROLS]
    assert list(CONTROLS) == ["UnsharedMLP", "UnsharedCNN", "UnsharedResNet"]
    assert [stage.name for stage in DEFAULT.stages] == ["lr-batch", "alpha"]
    assert DEFAULT.parameters == ("learning_rate", "batch_size", "alpha")
    assert DEFAULT.protocol("abc") == {
        "epochs": 25, "repeats": 10, "reruns": 10, "data": "mnist-sample", "auxiliary": "softmax",
        "stage1_alpha": 0.0, "select_on": "test", "search": "stages", "rank_by": "mean",
        "racing": False, "extend": 0, "settle": 0, "margin": 0.005,
        "learning_rates": list(RATES), "batch_sizes": list(SIZES),
        "alphas": list(ALPHAS), "pairs": 1000, "data_sha256": "abc",
        "objective": "accuracy", "direction": "maximize",
    }  # fmt: skip
    assert list(DEFAULT.rerun_seeds) == list(range(10, 20))
    assert (DEFAULT.objective, DEFAULT.direction) == ("accuracy", "maximize")
    assert DEFAULT.guessing == GUESSING == 0.6
    assert DEFAULT.no_better == (("AuxsiameseCNN", "AuxsiameseResNet"),)


@pytest.mark.parametrize(
    ("options", "is_comparable"),
    [({}, True), ({"repeats": 1, "auxiliary": "logits"}, True), ({"epochs": 24}, False)],
)
def test_runs_of_other_epochs_do_not_stand_beside_the_papers(
    options: dict[str, Any], is_comparable: bool
) -> None:
    grid = grid_study(experiment(**options), "AuxsiameseCNN", "lr-batch", None)
    attributes = study_attributes(grid, Data(None, None))
    assert bool(attributes["published"]) is bool(attributes["no_better"]) is is_comparable


def test_what_is_published_is_table_1() -> None:
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in TABLE_I.split("\n")[1:-1]]
    assert list(DEFAULT.published) == [row[0] for row in rows] == list(MODELS)
    for model, rate, size, alpha, accuracy, seconds in rows:
        published = DEFAULT.published[model]
        expected: dict[str, Any] = {"learning_rate": float(rate), "batch_size": int(size)}
        if alpha != "-":
            expected["alpha"] = float(alpha)
        assert published.parameters == expected
        assert [published.mean, published.deviation] == list(map(float, accuracy.split("±")))
        assert [published.seconds, published.seconds_deviation] == list(
            map(float, seconds.split("±"))
        )
        assert published.trainings == 10
        assert published.parameters["learning_rate"] in RATES
        assert published.parameters["batch_size"] in SIZES
        assert ("alpha" in published.parameters) == MODELS[model].auxiliary_loss


def test_models_differ_in_four_factors() -> None:
    assert DEFAULT.factors["AuxsiameseCNN"] == {
        "architecture": "CNN", "two branches": True, "weight sharing": True, "auxiliary loss": True,
    }  # fmt: skip
    assert DEFAULT.factors["UnsharedCNN"] == {
        "architecture": "CNN", "two branches": True, "weight sharing": False,
        "auxiliary loss": False,
    }  # fmt: skip
    assert len({tuple(factors.values()) for factors in DEFAULT.factors.values()}) == 15
    assert DEFAULT.training("AuxCNN").parameter_count == 144_494


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "paper"),
        ({"epochs": 5, "repeats": 1}, "paper+epochs=5,repeats=1"),
        ({"reruns": 2, "repeats": 2, "epochs": 2}, "paper+epochs=2,repeats=2,reruns=2"),
        ({"reruns": 2}, "paper+reruns=2"),
        ({"stage1_alpha": 0.5}, "paper+stage1-alpha=0.5"),
        ({"stage1_alpha": 1}, "paper+stage1-alpha=1"),
        ({"auxiliary": "logits"}, "paper+auxiliary=logits"),
        ({"search": "published"}, "paper+search=published"),
        ({"data": "mnist"}, "paper+data=mnist"),
        ({"select_on": "validation"}, "paper+select-on=validation"),
        ({"search": "joint", "racing": True}, "paper+search=joint,racing"),
        ({"rank_by": "lower-bound"}, "paper+rank-by=lower-bound"),
        ({"extend": 4}, "paper+extend"),
        ({"extend": 2, "epochs": 5}, "paper+epochs=5,extend=2"),
        ({"settle": 40}, "paper+settle=40"),
        ({"settle": 40, "margin": 0.01, "extend": 4}, "paper+extend,settle=40,margin=0.01"),
        ({"data_dir": "any/where"}, "paper"),
    ],
)
def test_an_experiment_is_named_by_what_differs_from_the_paper(
    options: dict[str, Any], name: str
) -> None:
    assert experiment(**options).name == name
    assert resolve(experiment, options, "Mine_1.b").name == "Mine_1.b"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": 0}, "epochs must be from 1 to 10000, not 0"),
        ({"epochs": 10**20}, "epochs must be from 1 to 10000"),
        ({"stage1_alpha": -0.1}, "stage1-alpha must be a number from 0, not -0.1"),
        ({"stage1_alpha": float("nan")}, "stage1-alpha must be a number from 0, not nan"),
        ({"stage1_alpha": float("inf")}, "stage1-alpha must be a number from 0, not inf"),
        ({"search": "joint", "stage1_alpha": 0.5}, "stage1-alpha has no meaning where no first"),
        ({"search": "published", "stage1_alpha": 0.5}, "stage1-alpha has no meaning"),
        ({"auxiliary": "sigmoid"}, "auxiliary must be softmax or logits, not sigmoid"),
        ({"select_on": "train"}, "select-on must be test or validation, not train"),
        ({"search": "two-stage"}, "search must be stages or joint or published, not two-stage"),
        ({"search": "published", "repeats": 5}, "repeats has no meaning where nothing is searched"),
        ({"search": "published", "extend": 4}, "extend has no meaning where nothing is"),
        ({"search": "published", "settle": 40}, "settle has no meaning where nothing is"),
        ({"search": "published", "racing": True}, "racing has no meaning where nothing is"),
    ],
)
def test_options_that_make_no_experiment_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        experiment(**options)


@pytest.mark.parametrize(
    ("parameter", "values", "said"),
    [
        ("batch_size", [8.5], "batch_size must be a whole number from 1, not 8.5"),
        ("batch_size", [0], "batch_size must be a whole number from 1, not 0"),
        ("batch_size", ["big"], "batch_size must be a number from 0, not big"),
        ("learning_rate", [-1e-3], "learning_rate must be a number from 0, not -0.001"),
        ("alpha", ["none"], "alpha must be a number from 0, not none"),
    ],
)
def test_grids_that_no_network_can_have_are_refused(
    parameter: str, values: list[Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        DEFAULT.with_grid(parameter, values)


def test_networks_have_no_parameters_that_would_do_nothing() -> None:
    with pytest.raises(UsageError, match="have no parameter dropout"):
        DEFAULT.with_stage(Stage("more", dropout=[0.1, 0.2]))


def cells_of(study: GridStudy) -> set[tuple[object, ...]]:
    cells = [study.cell(parameters) for parameters in Grid(study.grid).cells()]
    assert len(cells) == len(study)
    return {(*cell.parameters.values(), cell.seeds) for cell in cells}


@pytest.mark.parametrize("model", MODELS)
def test_alpha_is_searched_where_there_is_an_auxiliary_loss(model: str) -> None:
    expected = ("lr-batch", "alpha", "rerun") if "Aux" in model else ("lr-batch", "rerun")
    assert chain(DEFAULT, model) == expected
    assert chain(experiment(search="joint"), model) == ("joint", "rerun")
    assert chain(experiment(search="published"), model) == ("rerun",)


SMALL = experiment(repeats=3, reruns=2, stage1_alpha=0.4)
SEEDS = (0, 1, 2)


@pytest.mark.parametrize(("model", "alpha"), [("AuxsiameseCNN", [0.4]), ("SiameseCNN", [])])
def test_the_first_grid_is_learning_rates_by_batch_sizes(model: str, alpha: list[float]) -> None:
    study = grid_study(SMALL, model, "lr-batch", None)
    assert cells_of(study) == {(rate, size, *alpha, SEEDS) for rate, size in product(RATES, SIZES)}


def test_the_second_grid_is_alphas_at_the_winner() -> None:
    won = {"learning_rate": 1e-3, "batch_size": 16, "alpha": 0.4}
    study = grid_study(SMALL, "AuxMLP", "alpha", won)
    assert cells_of(study) == {(1e-3, 16, alpha, SEEDS) for alpha in ALPHAS}


def test_the_joint_grid_is_the_product_of_both() -> None:
    joint = experiment(search="joint", repeats=3)
    study = grid_study(joint, "AuxMLP", "joint", None)
    assert cells_of(study) == {(*cell, SEEDS) for cell in product(RATES, SIZES, ALPHAS)}
    assert len(cells_of(grid_study(joint, "MLP", "joint", None))) == 20


@pytest.mark.parametrize("model", MODELS)
def test_without_a_search_the_papers_settings_are_rerun(model: str) -> None:
    published = experiment(search="published", reruns=2)
    study = grid_study(published, model, "rerun", None)
    of_paper = tuple(DEFAULT.published[model].parameters.values())
    assert cells_of(study) == {(*of_paper, (10,)), (*of_paper, (11,))}


@pytest.mark.parametrize("alpha", [0, 1])
def test_alpha_is_a_float_however_it_was_given(alpha: int) -> None:
    """Else the second grid would not know the trainings of the first."""
    study = grid_study(experiment(stage1_alpha=alpha), "AuxMLP", "lr-batch", None)
    assert repr(study.fixed) == f"{{'alpha': {float(alpha)}}}"
    other = DEFAULT.with_grid("alpha", [0, 1])
    assert repr(other.stages[1].grid["alpha"]) == "(0.0, 1.0)"


STUDY = GridStudy(DEFAULT, "AuxMLP", "lr-batch", {})
RERUN = replace(STUDY, name="rerun")
CHOSEN: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 8, "alpha": 0.5}
PLAIN = {name: CHOSEN[name] for name in ("learning_rate", "batch_size")}
LOGITS = replace(STUDY, experiment=experiment(auxiliary="logits"))


def print_of(
    study: GridStudy = STUDY, chosen: dict[str, Any] = CHOSEN, seed: int = 0, data: str = "abc"
) -> str:
    return study.fingerprints(Cell(chosen, (seed,)), data)[seed]


OTHERS = {
    "model": print_of(replace(STUDY, model="AuxCNN")),
    "epochs": print_of(replace(STUDY, experiment=experiment(epochs=24))),
    "learning rate": print_of(chosen=CHOSEN | {"learning_rate": 5e-4}),
    "batch size": print_of(chosen=CHOSEN | {"batch_size": 16}),
    "alpha": print_of(chosen=CHOSEN | {"alpha": 0.6}),
    "no alpha": print_of(chosen=PLAIN),
    "weight decay": print_of(chosen=CHOSEN | {"weight_decay": 1e-3}),
    "auxiliary loss": print_of(LOGITS),
    "seed": print_of(seed=1),
    "data": print_of(data="abd"),
    "rerun": print_of(RERUN),
    "rerun of another experiment": print_of(replace(RERUN, experiment=experiment(repeats=3))),
    "rerun of another model": print_of(replace(RERUN, model="AuxCNN")),
}


def test_what_changes_a_result_makes_another_training() -> None:
    prints = [print_of(), *OTHERS.values()]
    assert len(set(prints)) == len(prints)


def test_fingerprints_do_not_change_between_versions() -> None:
    """Else a store would not know its own trainings any more. METHODS says when it may."""
    assert print_of(LOGITS) == "8ff8e824de77bbaeb8d410337e1b870761d5bcffd7ba2e6605197d56d0187c89"
    assert print_of() == "1758d7217a16ac4ca19d98aa0c7ffe0a03e03353882c77e7a4093fd1f1473737"
    at_zero = print_of(chosen=CHOSEN | {"alpha": 0.0})
    assert at_zero == "865fcc5ec17581503c0ee67f54b6a68bc87deedd5b2e24084d37f788722ade82"
    plain = replace(RERUN, model="MLP")
    rerun = "e8b27f226afe5994e0a9e93a515a45f08b96ee71ffc84807b0f93c0faa33c39c"
    assert print_of(plain, PLAIN) == rerun


def test_a_method_of_ones_own_makes_another_training_of_its_architecture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def with_method(architecture: str) -> str:
        specs = {
            name: replace(spec, method=METHODS[architecture] + 1)
            if spec.architecture == architecture
            else spec
            for name, spec in MODELS.items()
        }
        monkeypatch.setattr(paper, "MODELS", specs)
        return print_of(replace(STUDY, experiment=experiment()))

    assert with_method("CNN") == print_of()
    assert with_method("MLP") != print_of()


def test_other_pairs_make_another_training(monkeypatch: pytest.MonkeyPatch) -> None:
    before = print_of()
    monkeypatch.setattr(paper, "PAIRS", 999)
    assert print_of() != before


@pytest.mark.parametrize(
    "same",
    [
        replace(STUDY, name="alpha"),
        replace(STUDY, experiment=replace(DEFAULT, name="other")),
        replace(STUDY, experiment=experiment(repeats=3, reruns=1, stage1_alpha=0.2, data="mnist")),
        replace(STUDY, experiment=DEFAULT.with_grid("batch_size", [4, 8])),
    ],
)
def test_a_search_may_use_the_trainings_of_another(same: GridStudy) -> None:
    assert print_of(same) == print_of()


@pytest.mark.parametrize("chosen", [PLAIN, CHOSEN | {"alpha": 0.0}])
def test_without_weight_it_makes_no_difference_which_auxiliary_loss_it_is(
    chosen: dict[str, Any],
) -> None:
    assert print_of(LOGITS, chosen) == print_of(chosen=chosen)


def test_at_alpha_0_an_auxsiamese_model_shares_the_trainings_of_the_siamese_one() -> None:
    """Nothing else of theirs, nor does an unshared pair without an auxiliary loss."""
    auxsiamese, siamese = replace(STUDY, model="AuxsiameseCNN"), replace(STUDY, model="SiameseCNN")
    zero = CHOSEN | {"alpha": 0.0}
    assert auxsiamese.recorded_as(zero) == ("SiameseCNN", PLAIN)
    assert print_of(auxsiamese, zero) == print_of(siamese, PLAIN)
    assert print_of(auxsiamese) != print_of(siamese, CHOSEN)
    reruns = [replace(study, name="rerun") for study in (auxsiamese, siamese)]
    assert print_of(reruns[0], zero) != print_of(reruns[1], PLAIN)
    assert print_of(replace(STUDY, model="AuxCNN"), zero) != print_of(siamese, PLAIN)


def test_a_stage_more_searches_weight_decay() -> None:
    with_decay = experiment.with_stage(Stage("decay", weight_decay=[0.0, 1e-4, 1e-3]))
    decay = with_decay(epochs=2)
    assert decay.name == "paper+epochs=2+decay"
    assert chain(decay, "MLP") == ("lr-batch", "decay", "rerun")
    study = grid_study(with_decay(), "AuxMLP", "decay", CHOSEN)
    assert study.varied == {"weight_decay": (0.0, 1e-4, 1e-3)}
    # Without any it is the training that the stages before had.
    assert print_of(study, CHOSEN | {"weight_decay": 0.0}) == print_of()
    assert study.recorded_as(CHOSEN | {"weight_decay": 0.0}) == ("AuxMLP", CHOSEN)
    assert print_of(study, CHOSEN | {"weight_decay": 1e-4}) != print_of()


def test_a_training_says_how_it_is_done() -> None:
    training = DEFAULT.training("AuxCNN")
    assert training.settings(CHOSEN) == {"epochs": 25, "auxiliary": "softmax"}
    assert training.settings(PLAIN) == {"epochs": 25, "auxiliary": None}
    assert [training.seeds_at_once({"batch_size": size}) for size in (8, 64, 128)] == [5, 4, 2]
    assert training.cost({"batch_size": 8}) > training.cost({"batch_size": 16})


@pytest.mark.parametrize(("model", "ratio"), [("MLP", 2.7), ("CNN", 1.8), ("ResNet", 1.2)])
def test_small_batches_cost_most_where_an_image_costs_little(model: str, ratio: float) -> None:
    """One measured batch size tells the others' time: all of a ResNet's take nearly as long."""
    training = DEFAULT.training(model)
    small, large = (training.cost({"batch_size": size}) for size in (8, 128))
    assert small / large == pytest.approx(ratio, rel=0.05)


def lenet(pair: bool) -> tuple[nn.Module, nn.Module]:
    channels, units = (2, 2) if pair else (1, 10)
    return nn.Sequential(nn.Conv2d(channels, 6, 14), nn.Flatten()), nn.Linear(6, units)


def deeper(pair: bool) -> tuple[nn.Module, nn.Module]:
    channels, units = (2, 2) if pair else (1, 10)
    return nn.Sequential(nn.Conv2d(channels, 7, 14), nn.Flatten()), nn.Linear(7, units)


def test_another_architecture_is_asked_the_papers_question() -> None:
    other = variants_of("LeNet", lenet)(epochs=3)
    assert other.name == "paper+epochs=3"
    assert list(other.models) == [
        "LeNet", "SiameseLeNet", "AuxLeNet", "AuxsiameseLeNet", "UnsharedLeNet",
    ]  # fmt: skip
    assert chain(other, "SiameseLeNet") == ("lr-batch", "rerun")
    assert chain(other, "AuxLeNet") == ("lr-batch", "alpha", "rerun")
    assert other.factors["AuxLeNet"] == {
        "architecture": "LeNet", "two branches": True, "weight sharing": False,
        "auxiliary loss": True,
    }  # fmt: skip
    assert other.published == {}
    assert other.protocol("abc") == experiment(epochs=3).protocol("abc")
    counts = [other.training(model).parameter_count for model in other.models]
    # Convolution, head, and what compares two times ten units.
    conv, head, compares = 6 * 196 + 6, 7 * 10, 21 * 2
    assert counts == [
        6 * 2 * 196 + 6 + 7 * 2, conv + head + compares, 2 * conv + head + compares,
        conv + head + compares, 2 * conv + head + compares,
    ]  # fmt: skip
    with pytest.raises(UsageError, match="nothing is published of LeNet"):
        variants_of("LeNet", lenet)(search="published")


def test_trainings_of_another_architecture_are_known_by_its_code() -> None:
    study, changed = (
        replace(STUDY, experiment=variants_of("LeNet", build)(), model="AuxsiameseLeNet")
        for build in (lenet, deeper)
    )
    assert print_of(study) != print_of(changed)
    zero = study.recorded_as(CHOSEN | {"alpha": 0.0})
    assert zero == ("SiameseLeNet", PLAIN)
    versions = [variants_of("LeNet", lenet, version=version)() for version in "12"]
    codes = {version.training("LeNet").code for version in versions}
    assert codes == {"1", "2"}
    assert study.experiment.training("LeNet").code not in codes


@pytest.mark.parametrize("name", ["MLP", "SiameseCNN"])
def test_the_papers_own_models_cannot_be_others(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is one of the paper's own models"):
        variants_of(name, lenet)


def test_an_architecture_that_fails_or_cannot_be_named_is_refused() -> None:
    with pytest.raises(UsageError, match="the experiment function fails with TypeError"):
        variants_of("LeNet", lambda pair: None)()  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="'my net' names no model"):
        variants_of("my net", lenet)()


def test_a_network_is_trained_seed_by_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it gives is what `digitcmp.training` does; a number that diverged is none."""
    import digitcmp.training

    result = digitcmp.training.TrainingResult(4, None, None, 1.5, 1.25, (0.7, 0.6))
    asked: list[tuple[Any, ...]] = []

    def train(*arguments: Any) -> list[digitcmp.training.TrainingResult]:
        asked.append(arguments)
        return [result]

    monkeypatch.setattr(digitcmp.training, "train", train)
    training = DEFAULT.training("AuxMLP")
    assert isinstance(training, PairTraining)
    assert isinstance(training.spec, ModelSpec)
    assert training.train(CHOSEN | {"weight_decay": 0.25}, [4], "data") == [  # type: ignore[arg-type]
        {
            "accuracy": None, "validation": None, "loss_curve": (0.7, 0.6),
            "train_seconds": 1.5, "cpu_seconds": 1.25, "weights": result.weights,
        }
    ]  # fmt: skip
    build, chosen, *more = asked[0]
    assert build == training.build
    assert chosen == digitcmp.training.Hyperparameters(1e-3, 8, 0.5, 0.25)
    assert more == ["data", [4], 25, "softmax"]
    training.train(PLAIN, [4], "data")  # type: ignore[arg-type]
    assert asked[1][1] == digitcmp.training.Hyperparameters(1e-3, 8, None)


def test_a_control_is_the_aux_model_without_its_loss() -> None:
    control = replace(STUDY, model="UnsharedMLP")
    assert control.recorded_as(PLAIN) == ("AuxMLP", {**PLAIN, "alpha": 0.0})
    assert print_of(control, PLAIN) == print_of(chosen=CHOSEN | {"alpha": 0.0})
    assert print_of(control, PLAIN) != print_of(replace(STUDY, model="MLP"), PLAIN)
    assert chain(DEFAULT, "UnsharedMLP") == ("lr-batch", "rerun")
    assert DEFAULT.training("UnsharedMLP").parameter_count == 66_302
    assert "UnsharedMLP" not in experiment(search="published").models


def test_a_split_by_seed_is_another_experiment() -> None:
    assert experiment(split="by-seed").name == "paper+split=by-seed"
    assert experiment(split="by-seed").protocol("abc")["split"] == "by-seed"
    # Older studies have no such setting: a fixed split goes on with them.
    assert "split" not in DEFAULT.protocol("abc")
