"""Files that define experiments, as users write them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import cloudpickle
import pytest

from studies.experiment.file import load
from studies.experiment.options import Definition

Define = Callable[..., Definition]


@pytest.fixture
def define(tmp_path: Path) -> Iterator[Define]:
    """Write files, and load the first: `define("experiment = ...", helpers="...")`."""
    modules, path = dict(sys.modules), list(sys.path)
    before = cloudpickle.list_registry_pickle_by_value()

    def of(source: str, name: str = "mine", folder: Path = tmp_path, **beside: str) -> Definition:
        # Python keeps modules by name: those of the file loaded before may have others.
        for module in sys.modules.keys() - modules.keys():
            del sys.modules[module]
        for module, text in {**beside, name: source}.items():
            file = folder.joinpath(*module.split("__")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        return load(str(folder / f"{name}.py"))

    yield of
    for module in sys.modules.keys() - modules.keys():
        del sys.modules[module]
    sys.path[:] = path
    for module in cloudpickle.list_registry_pickle_by_value() - before:
        cloudpickle.cloudpickle._PICKLE_BY_VALUE_MODULES.discard(module)
