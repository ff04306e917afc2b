"""A search is asked to go on under another protocol."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from studies.paper import experiment as paper
from tests.faults.stores.leftovers import left, reading
from tests.faults.stores.small_searches import Record, Search
from tests.support.small_mnist import write_small_mnist

NAME = "paper+epochs=1,repeats=2,reruns=2"
OTHER = {
    "data": "mnist", "auxiliary": "logits", "select_on": "validation", "search": "joint",
    "rank_by": "lower-bound", "split": "by-seed",
}  # fmt: skip
"""A value beside the default, for settings that take certain words only."""

OPTIONS = [name for name in paper.options if name != "data_dir"]
"""Where digits lie is not what they are."""


def changed(name: str) -> list[str]:
    """The option that gives a setting another value than the small search has."""
    option, default = f"--{name.replace('_', '-')}", paper.options[name].default
    if name == "racing":
        # It needs more repeats than the small search has.
        return [option, "--repeats", "5"]
    if name in ("settle", "margin"):
        # More repeats than every cell gets, and a margin is one among these.
        return ["--settle", "3", "--margin", "0.01"]
    return [option, OTHER.get(name) or str(default + 1)]


@pytest.mark.parametrize("name", [*OPTIONS, "learning_rates"])
def test_it_is_refused_and_the_difference_is_shown(
    name: str, search: Search, finished: Path, tmp_path: Path, record_property: Record
) -> None:
    shutil.copy(finished, tmp_path)
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    arguments = ["--grid", "learning_rate=0.01"] if name == "learning_rates" else changed(name)
    if name == "data":
        write_small_mnist(tmp_path)
        arguments += ["--data-dir", str(tmp_path)]
    before = left(url)
    result = search(url, "--experiment", NAME, *arguments)
    assert result.exit_code == 2, result.output
    assert f"error: {NAME}/MLP/lr-batch follows another protocol (" in result.output
    assert f"{name}: stored " in result.output
    assert len(result.output.splitlines()) == 1
    assert left(url) == before
    with reading(url) as connection:
        assert connection.scalar(text("select count(*) from trials")) == 22
        assert connection.scalar(text("select count(*) from studies")) == 2
    record_property("fault", f"protocol with another {name}: 1 time, 0 violations")
