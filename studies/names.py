"""Names of models as people type them."""

import difflib

import typer

from studies.paper import PAPER
from studies.wording import without_password

ALL = "all"


def model_argument(name: str | None) -> str | None:
    """Check the name of a model, or none at all."""
    if name is not None:
        _check(name, list(PAPER))
    return name


def models_argument(names: list[str]) -> list[str]:
    """The models that a list of names means, each once, in the paper's order."""
    for name in names:
        _check(name, [*PAPER, ALL])
    return [model for model in PAPER if ALL in names or model in names]


def _check(name: str, known: list[str]) -> None:
    if name not in known:
        lower = {each.lower(): each for each in known}
        nearest = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0)
        # Who forgets to write --storage gives its URL as a name.
        given = without_password(name)
        raise typer.BadParameter(f"no model is called {given!r}: did you mean {lower[nearest[0]]}?")
