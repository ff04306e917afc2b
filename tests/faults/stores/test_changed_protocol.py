"""A search is asked to go on under another protocol."""

import shutil
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest
from leftovers import left, reading
from small_mnist import write_small_mnist
from small_searches import Record, Search
from sqlalchemy import text

from studies.protocol import Protocol

NAME = "paper+epochs=1,repeats=2,reruns=2"
OTHER = {
    "data": "mnist", "auxiliary": "logits", "select_on": "validation", "search": "joint",
    "rank_by": "lower-bound",
}  # fmt: skip
"""A value beside the default, for settings that take certain words only."""


def changed(field: Field[Any]) -> list[str]:
    """The option that gives a setting another value than the small search has."""
    option = f"--{field.name.replace('_', '-')}"
    if field.name == "racing":
        # It needs more repeats than the small search has.
        return [option, "--repeats", "5"]
    if isinstance(field.default, int | float):
        return [option, str(field.default + 1)]
    return [option, OTHER[field.name]]


@pytest.mark.parametrize("field", fields(Protocol), ids=lambda field: field.name)
def test_it_is_refused_and_the_difference_is_shown(
    field: Field[Any], search: Search, finished: Path, tmp_path: Path, record_property: Record
) -> None:
    shutil.copy(finished, tmp_path)
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    arguments = changed(field)
    if field.name == "data":
        write_small_mnist(tmp_path)
        arguments += ["--data-dir", str(tmp_path)]
    before = left(url)
    result = search(url, "--experiment", NAME, *arguments)
    assert result.exit_code == 2, result.output
    assert f"error: {NAME}/MLP/lr-batch follows another protocol (" in result.output
    assert f"{field.name}: stored " in result.output
    assert len(result.output.splitlines()) == 1
    assert left(url) == before
    with reading(url) as connection:
        assert connection.scalar(text("select count(*) from trials")) == 22
        assert connection.scalar(text("select count(*) from studies")) == 2
    record_property("fault", f"protocol with another {field.name}: 1 time, 0 violations")
