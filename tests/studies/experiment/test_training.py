"""What stands for a user's code, and what counts as the result of a training."""

import linecache
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studies import Experiment, Stage
from studies.display.errors import UsageError
from studies.experiment.options import ExperimentFunction
from studies.experiment.source import source_code
from studies.experiment.training import Training, as_training, checked
from tests.studies.experiment.conftest import Define

FILE = '''
import math
from helpers import half
from studies import Experiment, Stage

FACTOR = 3
SETTINGS = {"rate": 1}
UNUSED = 4
GRID = [4, 8]


def other():
    return UNUSED


def scaled(depth):
    return half(FACTOR * depth)


class Model:
    """Scores."""

    def score(self, depth):
        """Return it."""
        return math.floor(scaled(depth))


SETTINGS["rate"] = 2


def train(parameters, seed):
    # What is scored.
    return {"accuracy": Model().score(parameters["depth"]) * SETTINGS["rate"]}


experiment = Experiment("forest", {"Forest": train}, [Stage("size", depth=GRID)])
'''
HELPERS = "from deeper import TWO\n\n\ndef half(number):\n    return number / TWO"


def code_of(define: Define, source: str = FILE, helpers: str = HELPERS, two: str = "2") -> str:
    deeper = f'"""Numbers."""\n\nTWO = {two}\n'
    definition = define(source, helpers=helpers, deeper=deeper, unused="import mine")
    if isinstance(definition, ExperimentFunction):
        definition = definition()
    return definition.training(next(iter(definition.models))).code


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# What is scored.", "# What else is scored."),
        ('"""Scores."""', '"""Counts."""'),
        ('        """Return it."""\n', '        """Return it.\n\n        And more.\n        """\n'),
        ("return {", "return  {"),
        ('"size", depth=GRID', '"other", depth=GRID'),
        ("FACTOR = 3\n", "\n\nFACTOR = 3  # times\n"),
    ],
)
def test_what_does_not_change_a_training_keeps_its_code(
    define: Define, before: str, after: str
) -> None:
    assert before in FILE
    assert code_of(define) == code_of(define, FILE.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("math.floor", "math.ceil"),
        ("FACTOR * depth", "FACTOR + depth"),
        ("FACTOR = 3", "FACTOR = 4"),
        ('["rate"] = 2', '["rate"] = 3'),
        ('parameters["depth"]', '-parameters["depth"]'),
        ("from helpers", "from deeper import TWO as half\nfrom helpers"),
        ("class Model:", "class Model(dict):"),
        ("SETTINGS[", "SETTINGS.clear()\nSETTINGS["),
        # The program does not find out what is not used.
        ("return UNUSED", "return UNUSED + 1"),
        ("UNUSED = 4", "UNUSED = 5"),
    ],
)
def test_what_a_training_uses_is_part_of_its_code(define: Define, before: str, after: str) -> None:
    assert before in FILE
    assert code_of(define) != code_of(define, FILE.replace(before, after, 1))


def test_modules_beside_the_file_are_part_of_the_code(define: Define) -> None:
    before = code_of(define)
    assert before == code_of(define, helpers="# A half.\n" + HELPERS)
    assert before != code_of(define, helpers=HELPERS.replace("/", "//"))
    assert before != code_of(define, two="3")
    # Also where only the function imports them, or all of their names.
    for way in ("def scaled(depth):\n    from helpers import half", "from helpers import *"):
        source = FILE.replace("from helpers import half\n", "")
        source = f"{way}\n{source}" if "*" in way else source.replace("def scaled(depth):", way)
        assert code_of(define, source, two="2") != code_of(define, source, two="3")


def test_the_code_is_the_same_wherever_the_file_lies(define: Define, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    codes = []
    for folder in folders:
        folder.mkdir()
        experiment = define(FILE, folder=folder, helpers=HELPERS, deeper="TWO = 2")
        assert isinstance(experiment, Experiment)
        codes.append(experiment.training("Forest").code)
    assert len(set(codes)) == 1


CLOSURE = """
from functools import partial
from studies import Experiment, Stage

def scale(number):
    return 2 * number

def experiment(epochs: int = 5, depth: int = 3, folder=None):
    import math
    class Model:
        def score(self):
            return scale(epochs)
    def half(number):
        return number / 2
    def train(parameters, seed, more=depth):
        return {"accuracy": half(math.floor(epochs)) + len(str(folder))}
    def by_class(parameters, seed):
        return {"accuracy": Model().score()}
    def general(parameters, seed, scaled, times):
        return {"accuracy": scaled(times[0])}
    models = {
        "Lambda": lambda parameters, seed: {"accuracy": scale(epochs)},
        "Closure": train,
        "Class": by_class,
        "Partial": partial(general, scaled=scale, times=[epochs, "word"]),
    }
    return Experiment("mine", models, [Stage("size", depth=[4, 8])])
"""


@pytest.mark.parametrize("model", ["Lambda", "Closure", "Class", "Partial"])
def test_lambdas_closures_and_partials_have_their_values_in_their_code(
    define: Define, model: str
) -> None:
    def code(source: str = CLOSURE, **options: Any) -> str:
        made = define(source)
        assert isinstance(made, ExperimentFunction)
        return made(**options).training(model).code

    assert code() == code()
    assert code() != code(epochs=6)
    assert (code() != code(depth=4)) == (model == "Closure")
    scaled = code(CLOSURE.replace("2 * number", "3 * number"))
    assert scaled != code()
    halved = code(CLOSURE.replace("number / 2", "number / 3"))
    assert (halved != code()) == (model == "Closure")
    assert (code(epochs=3, depth=5) != code(epochs=5, depth=3)) or model != "Closure"


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*arguments: Any) -> Any:
        return function(*arguments)

    return wrapper


@decorated
def one(parameters: Any, seed: int) -> dict[str, float]:
    return {"accuracy": 1}


@decorated
def two(parameters: Any, seed: int) -> dict[str, float]:
    return {"accuracy": 2}


def test_a_decorated_function_is_more_than_its_decorator() -> None:
    assert source_code("A", one) != source_code("A", two)


class Callee:
    def __call__(self, parameters: Any, seed: int) -> dict[str, float]:
        return {"accuracy": 0.5}

    def train(self, parameters: Any, seed: int) -> dict[str, float]:
        return {"accuracy": 0.5}


def executed(name: str, source: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """What source defines that lies in no file, as in a cell of a notebook."""
    names = {"__name__": "notebook"} if names is None else names
    exec(compile(source, name, "exec"), names)
    return names


UNREADABLE: dict[str, Any] = {
    "an object": Callee(),
    "a method": Callee().train,
    "no source": executed("<string>", "def train(parameters, seed):\n    return {}")["train"],
    "an object within": partial(lambda parameters, seed, by: {}, by=Callee()),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_needs_a_version(what: str) -> None:
    train = UNREADABLE[what]
    with pytest.raises(UsageError, match=r"what A's function does cannot be read .*: give a versi"):
        as_training("A", train, None, {}, has_data=False)
    assert as_training("A", train, "1", {}, has_data=False).code == "1"


def test_cells_of_a_notebook_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def cell(number: int, source: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
        name = f"<cell {number}>"
        monkeypatch.setitem(
            linecache.cache, name, (len(source), None, source.splitlines(True), name)
        )
        return executed(name, source, names)

    def code(helper: str, factor: int) -> str:
        names = cell(1, f"import math\n\nFACTOR = {factor}\n\ndef half(x):\n    return {helper}\n")
        names["unused"] = object()
        cell(2, "def train(parameters, seed):\n    return half(math.floor(FACTOR))\n", names)
        return source_code("A", names["train"])

    assert code("x / 2", 3) == code("x / 2  # half", 3)
    assert len({code("x / 2", 3), code("x / 3", 3), code("x / 2", 4)}) == 3


def of_one(parameters: Any) -> dict[str, float]:
    return {}


def of_three(parameters: Any, seed: int, data: Any) -> dict[str, float]:
    return {}


def of_swapped(seed: int, parameters: Any) -> dict[str, float]:
    return {}


def of_more(parameters: Any, seed: int, epochs: int = 5) -> dict[str, float]:
    return {}


@pytest.mark.parametrize(
    ("train", "has_data", "said"),
    [
        (of_one, False, "A must be a function of (parameters, seed), not of_one(parameters: Any)"),
        (of_three, False, "A must be a function of (parameters, seed), not of_three("),
        (of_swapped, False, "A must be a function of (parameters, seed), not of_swapped("),
        (of_one, True, "A must be a function of (parameters, seed, data), not of_one("),
        (partial(of_three, data=1), True, "of (parameters, seed, data), not partial("),
        (5, False, "A must be a function of (parameters, seed), not 5"),
        ({"a": 1}, False, "A must be a function of (parameters, seed), not {'a': 1}"),
        (dict, False, "A must be a function of (parameters, seed)"),
    ],
)
def test_functions_of_other_arguments_are_refused(train: Any, has_data: bool, said: str) -> None:
    with pytest.raises(UsageError) as error:
        as_training("A", train, "1", {}, has_data)
    assert said in str(error.value)


def test_a_function_trains_seed_by_seed_with_data_where_there_is_some() -> None:
    def train(parameters: Any, seed: int, data: Any = 10) -> dict[str, float]:
        return {"accuracy": parameters["depth"] + seed + data}

    given = {"depth": 100}
    training = as_training("A", train, None, {}, has_data=True)
    assert training.train(given, [1, 2], 20) == [{"accuracy": 121}, {"accuracy": 122}]
    training = as_training("A", of_more, None, {}, has_data=False)
    assert training.train(given, [1], None) == [{}]


def test_a_function_cannot_change_the_parameters_of_the_next_seed() -> None:
    def train(parameters: Any, seed: int) -> dict[str, float]:
        return {"accuracy": parameters.pop("depth")}

    training = as_training("A", train, None, {}, has_data=False)
    assert training.train({"depth": 4}, [0, 1], None) == [{"accuracy": 4}] * 2


def test_trainings_of_ones_own_are_left_as_they_are() -> None:
    own = Training()
    assert as_training("A", own, "1", {}, has_data=False) is own


def test_data_comes_with_an_argument_more() -> None:
    stages = [Stage("size", depth=[4])]
    experiment = Experiment("toy", {"A": of_three}, stages, data=lambda: 1)
    assert experiment.training("A").train({"depth": 4}, [0], 1) == [{}]
    with pytest.raises(UsageError, match=r"A must be a function of \(parameters, seed\)"):
        Experiment("toy", {"A": of_three}, stages)


def test_a_result_is_numbers_by_name() -> None:
    result = checked(
        {
            "accuracy": np.float32(0.5),
            "validation": 1,
            "leaves": None,
            "loss_curve": np.array([0.5, 0.25]),
            "train_seconds": 2.0,
        },
        "accuracy",
    )
    assert math.isnan(result.pop("leaves"))
    assert result == {
        "accuracy": 0.5, "validation_accuracy": 1.0, "loss_curve": (0.5, 0.25),
        "train_seconds": 2.0,
    }  # fmt: skip
    assert {type(value) for value in result.values()} == {float, tuple}
    assert math.isnan(checked({"loss": None}, "loss")["loss"])
    assert checked({"loss": 1, "loss_curve": None}, "loss")["loss_curve"] == ()


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "train returned NoneType, not a mapping with 'accuracy'"),
        (0.5, "train returned float, not a mapping"),
        ([("accuracy", 0.5)], "train returned list, not a mapping"),
        ({}, "train returned no 'accuracy', but nothing"),
        ({"loss": 1, "more": 2}, "train returned no 'accuracy', but 'loss', 'more'"),
        ({"accuracy": "high"}, "train returned 'high' for 'accuracy', which is no number"),
        ({"accuracy": "0.5"}, "train returned '0.5' for 'accuracy', which is no number"),
        ({"accuracy": [1, 2]}, r"train returned \[1, 2\] for 'accuracy', which is no number"),
        ({"accuracy": 1, "a b": 1}, "train returned a value for 'a b', which is no Python name"),
        ({"accuracy": 1, 2: 1}, "train returned a value for 2, which is no Python name"),
        ({"accuracy": 1, "loss_curve": 2}, "train returned 2 for 'loss_curve', which is no list"),
        ({"accuracy": 1, "loss_curve": ["a"]}, "returned 'a' for 'loss_curve', which is no number"),
        ({"accuracy": 1, "train_seconds": None}, "None for 'train_seconds', which is no time"),
    ],
)
def test_a_result_that_is_none_is_told_by_what_is_wrong(result: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked(result, "accuracy")
