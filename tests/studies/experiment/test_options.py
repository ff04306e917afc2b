"""Experiments of a function: its keyword parameters are options, and name what differs."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from studies import Experiment, Published, Stage
from studies.display.errors import UsageError
from studies.experiment.options import ExperimentFunction, resolve


def train(parameters: Any, seed: int) -> dict[str, float]:
    return {"accuracy": 0.5}


TOY = Experiment("toy", {"A": train}, [Stage("size", depth=[4, 8])], repeats=5)


def function(
    epochs: Annotated[int, "Epochs of a training."] = 25,
    rate: Annotated[float, 3, "How fast."] = 0.5,
    loss: Annotated[Literal["log", "square"], "Which."] = "log",
    shuffle: bool = True,
    noise: bool = False,
    folder: Path | None = None,
    repeats: int = 5,
    plain=3,  # type: ignore[no-untyped-def]
    nothing=None,  # type: ignore[no-untyped-def]
) -> Experiment:
    return Experiment("mine", {"A": train}, TOY.stages, repeats=repeats)


MINE = ExperimentFunction(function)


def test_keyword_parameters_are_options_with_types_and_help() -> None:
    assert list(MINE.options.items()) == [
        ("epochs", (int, 25, "Epochs of a training.")),
        ("rate", (float, 0.5, "How fast.")),
        ("loss", (Literal["log", "square"], "log", "Which.")),
        ("shuffle", (bool, True, "")),
        ("noise", (bool, False, "")),
        ("folder", (Path | None, None, "")),
        ("repeats", (int, 5, "")),
        ("plain", (int, 3, "")),
        ("nothing", (str | None, None, "")),
    ]


def test_annotations_may_be_texts() -> None:
    def of_texts(epochs: "Annotated[int, 'Epochs.']" = 5) -> Experiment:
        return TOY

    assert ExperimentFunction(of_texts).options == {"epochs": (int, 5, "Epochs.")}


def test_a_partial_has_the_options_of_its_function() -> None:
    made = ExperimentFunction(partial(function, epochs=3))
    assert made.options["epochs"][:2] == (int, 3)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "mine"),
        ({"epochs": 25, "rate": 0.5}, "mine"),
        ({"epochs": 5, "repeats": 1}, "mine+epochs=5,repeats=1"),
        ({"repeats": 1, "epochs": 5}, "mine+epochs=5,repeats=1"),
        ({"rate": 1e-4}, "mine+rate=0.0001"),
        ({"rate": 1}, "mine+rate=1"),
        ({"loss": "square"}, "mine+loss=square"),
        ({"noise": True, "shuffle": False}, "mine+no-shuffle,noise"),
        ({"folder": Path("here")}, "mine"),
    ],
)
def test_an_experiment_is_named_by_the_options_that_differ(
    options: dict[str, Any], name: str
) -> None:
    assert MINE(**options).name == name
    assert resolve(MINE, options).name == name
    assert resolve(MINE, options, "given").name == "given"


def test_changes_come_after_the_options() -> None:
    changed = MINE.with_stage(Stage("more", decay=[0.0, 0.1]))
    assert changed(epochs=5).name == "mine+epochs=5+more"
    assert changed(epochs=5).parameters == ("depth", "decay")
    assert resolve(changed, {"epochs": 5}, "given").name == "given"
    assert MINE(epochs=5).parameters == ("depth",)


@pytest.mark.parametrize("definition", [TOY, MINE])
def test_fields_of_every_experiment_are_options_too(definition: Any) -> None:
    experiment = resolve(definition, {"racing": True, "reruns": 3, "search": "joint"})
    assert experiment.name == f"{definition().name if definition is MINE else 'toy'}" + (
        "+reruns=3,search=joint,racing"
    )
    assert (experiment.repeats, experiment.reruns, experiment.racing) == (5, 3, True)


def test_what_a_definition_has_already_does_not_name_it() -> None:
    assert resolve(TOY, {"repeats": 5, "racing": False}) == TOY


def test_other_grids_name_the_experiment_unless_it_has_a_name() -> None:
    grids = {"depth": [1, 2]}
    assert resolve(TOY, {"reruns": 3}, grids=grids).name == "toy+reruns=3+depth=1,2"
    assert resolve(TOY, {"reruns": 3}, "given", grids).name == "given"
    long = {"depth": range(100)}
    with pytest.raises(UsageError, match=r"names no experiment: give up to 100 letters.*--exp"):
        resolve(TOY, {}, grids=long)
    assert resolve(TOY, {}, "given", long).name == "given"


@pytest.mark.parametrize("definition", [TOY, MINE])
def test_a_bad_name_is_refused_however_it_comes(definition: Any) -> None:
    for grids in ({}, {"depth": [1]}):
        with pytest.raises(UsageError, match="'' names no experiment"):
            resolve(definition, {}, "", grids)


def test_unknown_options_and_values_are_refused() -> None:
    with pytest.raises(UsageError, match=r"has no option 'epoch': did you mean epochs?"):
        MINE(epoch=5)
    with pytest.raises(UsageError, match=r"has no option 'rerun': did you mean reruns?"):
        resolve(MINE, {"rerun": 5})
    with pytest.raises(UsageError, match=r"has no option 'epoch': did you mean epochs?"):
        resolve(MINE, {"epoch": 5})
    with pytest.raises(UsageError, match="has no option 'select_on'"):
        resolve(TOY, {"select_on": "validation"})
    with pytest.raises(UsageError, match="loss must be log or square, not lag"):
        MINE(loss="lag")


@pytest.mark.parametrize(
    ("name", "value"), [("repeats", 4), ("rank_by", "lower-bound"), ("racing", True)]
)
@pytest.mark.parametrize("is_function", [False, True])
def test_what_a_search_does_means_nothing_without_one(
    name: str, value: Any, is_function: bool
) -> None:
    toy = replace(TOY, published={"A": Published({"depth": 4}, 0.9, 0.1)})
    definition = ExperimentFunction(lambda: toy) if is_function else toy
    assert resolve(definition, {"search": "published", "reruns": 3}).repeats == 5
    option = name.replace("_", "-")
    with pytest.raises(UsageError, match=f"{option} has no meaning where nothing is searched"):
        resolve(definition, {"search": "published", name: value})


def of_nothing(epochs):  # type: ignore[no-untyped-def]
    return TOY


def of_many(*epochs: int) -> Experiment:
    return TOY


def of_any(**options: int) -> Experiment:
    return TOY


def of_place(epochs: int = 5, /) -> Experiment:
    return TOY


def of_unknown(epochs: "Epochs" = 5) -> Experiment:  # type: ignore[name-defined]  # noqa: F821
    return TOY


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (of_nothing, "parameter epochs of the experiment function needs a default"),
        (of_many, "parameter epochs of the experiment function takes no name"),
        (of_any, "parameter options of the experiment function takes no name"),
        (of_place, "parameter epochs of the experiment function takes no name"),
        (of_unknown, "the experiment function cannot have options: name 'Epochs' is not defined"),
    ],
)
def test_functions_without_options_of_their_own_are_refused(bad: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ExperimentFunction(bad)


def test_a_function_that_makes_no_experiment_is_refused() -> None:
    with pytest.raises(UsageError, match="returned None, no Experiment"):
        ExperimentFunction(lambda: None)()  # type: ignore[arg-type, return-value]

    def divides(by: int = 0) -> Experiment:
        assert 1 / by
        return TOY

    with pytest.raises(UsageError, match="fails with ZeroDivisionError: division by zero"):
        ExperimentFunction(divides)()
    with pytest.raises(UsageError, match=r"^no parameter is called"):
        MINE.changed(lambda experiment: experiment.with_grid("nothing", [1]))()


@pytest.mark.parametrize(
    ("definition", "options", "said"),
    [
        (TOY, {"racing": "no"}, "racing must be True or False, not 'no'"),
        (TOY, {"repeats": "3"}, "repeats must be a whole number, not '3'"),
        (MINE, {"reruns": True}, "reruns must be a whole number, not True"),
        (MINE, {"rank_by": 3}, "rank-by must be mean, median or lower-bound, not 3"),
        (MINE, {"epochs": True}, "epochs must be a whole number, not True"),
        (MINE, {"epochs": 1.5}, "epochs must be a whole number, not 1.5"),
        (MINE, {"rate": "fast"}, "rate must be a number, not 'fast'"),
        (MINE, {"rate": None}, "rate must be a number, not None"),
        (MINE, {"folder": 3}, "folder must be Path, not 3"),
        (MINE, {"nothing": 3}, "nothing must be a word, not 3"),
    ],
)
def test_values_of_another_type_are_refused(
    definition: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        resolve(definition, options)


def test_values_that_are_as_good_are_taken() -> None:
    given = {"epochs": np.int64(5), "rate": 1, "folder": "a/b", "nothing": None}
    assert resolve(MINE, given, "mine").name == "mine"
