"""The service knows no paper: no module but the paper's page names what is searched there."""

import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAPERS_OWN = ("learning_rate", "batch_size", "alpha", "auxiliary", "Siamese", "ResNet", "digitcmp")
MODULES = [
    path
    for package in ("storage", "studies")
    for path in sorted((ROOT / package).rglob("*.py"))
    # The latter names the packages alone.
    if path not in (ROOT / "studies" / "paper.py", ROOT / "studies" / "bound.py")
]


def words_of_the_paper(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if any(word in token.string for word in PAPERS_OWN):
                yield f"{path.relative_to(ROOT)}:{token.start[0]}: {token.string[:60]}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_of_the_service_names_nothing_of_the_paper(path: Path) -> None:
    assert list(words_of_the_paper(path)) == []


def test_the_papers_page_is_read_as_such() -> None:
    """Else the test above would see nothing."""
    assert len(MODULES) > 50
    assert list(words_of_the_paper(ROOT / "studies" / "paper.py"))
