"""The README and the manual hold to the program: links, commands, options, examples, SQL."""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from sqlalchemy import text

from storage.store import open_store
from storage.trainings import declare
from studies import Experiment, Published, run
from studies.__main__ import COMMANDS
from studies.experiment.file import load
from studies.experiment.options import resolve
from studies.experiment.study import chain
from studies.paper import experiment as paper
from tests.support.pages import (
    PAGES,
    README,
    ROOT,
    anchors,
    blocks,
    commands,
    examples,
    links,
    rows,
    spans,
)
from tests.support.terminal import Terminal

DOCS = ROOT / "docs"
STANDS_FOR = {"MODEL...": "all", "[MODEL]": "MLP"}
OF_OTHERS = {"--help", "--version", "--tls-ca-file", "--tls-cert", "--tls-key"}
"""Options of every command, and of Dask's."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with the Python files that the pages show."""
    for name, code in examples().items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    modules, path = set(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in examples().keys() | {"_defined.py"}:
        if name.removesuffix(".py") not in modules:
            sys.modules.pop(name.removesuffix(".py"), None)


@pytest.fixture
def trains_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run command reads its arguments and resolves its experiment, and that is all."""
    service = SimpleNamespace(
        Settings=lambda storage, *_: SimpleNamespace(storage=storage),
        run_models=lambda *_: [],
        show_plan=lambda *_: None,
    )
    monkeypatch.setitem(sys.modules, "studies.search.service", service)
    monkeypatch.setattr(run, "show_results", lambda *_: None)


def parse_run(*words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(words)
    assert not ended.value.code, words


def test_the_readme_is_short_and_leads_to_all_pages() -> None:
    assert len(README.read_text().splitlines()) <= 120
    linked = {(ROOT / link).resolve() for link in links(README)}
    assert set(PAGES[1:]) <= linked


@pytest.mark.parametrize(
    "page", sorted({*PAGES, *DOCS.rglob("*.md")}), ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_files_that_are_named_are_there() -> None:
    packages = [ROOT / name for name in ("digitcmp", "storage", "studies", "tests")]
    known = [f"/{path.relative_to(ROOT)}" for folder in packages for path in folder.rglob("*")]
    for page in PAGES:
        for span in spans(page):
            if re.fullmatch(r"[\w./]+\.py|(tests|studies|storage|digitcmp)/[\w/]+", span):
                is_there = any(path.endswith(f"/{span}") for path in known)
                assert is_there or span in examples(), (page, span)


def test_commands_are_commands(trains_nothing: None, capsys: pytest.CaptureFixture[str]) -> None:
    shown = commands()
    assert len(shown) > 15
    for name, *words in shown:
        words = [STANDS_FOR.get(word, word) for word in words]
        if name == "studies.run":
            parse_run(*words or ["all"])
        elif name.startswith("tests.benchmarks."):
            source = ROOT.joinpath(*name.split(".")).with_suffix(".py").read_text()
            assert all(f'"{word}"' in source for word in words if word.startswith("-")), name
        else:
            typer.main.get_command(_app(name)).make_context(name, words)


def test_commands_under_one_name_are_commands() -> None:
    shown = [span.split() for page in PAGES for span in spans(page)]
    shown = [words for words in shown if words[0] == "digit-studies" and len(words) > 1]
    assert len(shown) > 2
    for _, name, *words in shown:
        assert name in COMMANDS or name == "--install-completion", (name, words)


def _app(name: str) -> typer.Typer:
    try:
        app = importlib.import_module(f"{name}.__main__").app
    except ModuleNotFoundError:
        app = importlib.import_module(name).app
    assert isinstance(app, typer.Typer)
    return app


def _options(command: object) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]


def test_options_are_options(trains_nothing: None, capsys: pytest.CaptureFixture[str]) -> None:
    of_run = _options(run.command(paper))
    names = ("studies.best", "studies.report", "studies.dashboard", "storage.copy")
    known = of_run.union(*(_options(typer.main.get_command(_app(name))) for name in names))
    for page in PAGES:
        for span in spans(page):
            words = span.split()
            options = {word for word in words if word.startswith("--")}
            if words[0] in options:
                assert options <= known | OF_OTHERS, (page, span)
                # Values in capitals stand for others.
                if options <= of_run and not re.search("[A-Z]", span) and span not in options:
                    parse_run("MLP", *words)


def test_the_manual_has_every_option_and_every_field() -> None:
    shown = {span.split()[0] for span in spans(DOCS / "search.md")}
    assert _options(run.command(paper)) - {"models", "--help"} <= shown
    described = {
        name for row in rows(DOCS / "experiments.md", "field of `Experiment`")
        for name in re.findall(r"`(\w+)`", row[0])
    }  # fmt: skip
    assert described == {field.name for field in fields(Experiment)}
    text = " ".join(spans(DOCS / "experiments.md"))
    assert all(field.name in text for field in fields(Published))


def test_examples_define_what_the_pages_say(folder: Path) -> None:
    forest = resolve(load("forest.py"), {})
    assert chain(forest, "Forest") == ("size", "features", "rerun")
    small = {"max_depth": 2, "n_estimators": 2}
    (result,) = forest.training("Forest").train(small, [1], None)
    assert 0.2 < result["accuracy"] < 0.9
    lenet = resolve(load("lenet.py"), {"epochs": 5})
    assert lenet.name == "paper+epochs=5"
    prefixes = ("", "Siamese", "Aux", "Auxsiamese", "Unshared")
    assert list(lenet.models) == [f"{prefix}LeNet" for prefix in prefixes]
    decay = resolve(load("decay.py"), {})
    assert decay.name == "paper+decay"
    assert chain(decay, "AuxMLP") == ("lr-batch", "alpha", "decay", "rerun")
    linear = resolve(load("linear.py"), {"passes": 5})
    assert (linear.name, linear.direction) == ("linear+passes=5", "minimize")
    assert linear.data is not None
    cell = {"alpha": 1e-4, "max_iter": 5, "penalty": "l2"}
    (result,) = linear.training("Linear").train(cell, [1], linear.data())
    assert 0 < result["loss"] < 10 < 100 * result["accuracy"]


def test_sql_is_answered(tmp_path: Path, folder: Path) -> None:
    statements = [
        statement for page in PAGES for code in blocks(page, "sql") for statement in code.split(";")
    ]
    statements += re.findall(r'"(select [^"]+)"', " ".join(" ".join(spans(p)) for p in PAGES))
    statements = [statement for statement in statements if statement.strip()]
    assert len(statements) > 5
    with open_store(f"sqlite:///{tmp_path / 'studies.db'}") as store:
        _declare(store.engine, paper())
        with store.engine.connect() as connection:
            for view, _, columns in rows(DOCS / "store.md", "view"):
                known = connection.execute(text(f"select * from {view.strip('`')}")).keys()
                named = re.findall(r"`(\w+)`|the (parameters)", columns)
                wanted = [a for a, b in named for a in ([a] if a else list(paper().parameters))]
                assert list(known) == wanted
        _declare(store.engine, resolve(load("forest.py"), {}))
        with store.engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))


def _declare(engine: object, experiment: Experiment) -> None:
    declare(engine, experiment.grid, experiment.objective)  # type: ignore[arg-type]


def test_every_package_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["postgresql"]]
    listed = [
        name for row in rows(DOCS / "development.md", "package") for name in row[0].split(", ")
    ]
    assert listed == [re.split(r"[=><\[]", package)[0] for package in needed]


@pytest.mark.slow
def test_the_forest_runs_from_an_empty_folder(folder: Path, cache: Path) -> None:
    with closing(Terminal(folder, cache)) as terminal:
        grids = ("max_depth=2,4", "n_estimators=2,4", "max_features=0.3,1.0")
        words = [word for grid in grids for word in ("--grid", grid)]
        command = ("--define", "forest.py", "all", *words, "--repeats", "2", "--reruns", "2")
        terminal.run("studies.run", *command)
        (winner,) = terminal.query(*blocks(DOCS / "experiments.md", "sql"))
        assert winner[:2] in [(depth, trees) for depth in (2, 4) for trees in (2, 4)]
        assert winner[3] in ("gini", "entropy")
        (folder / "forest.py").unlink()
        assert "Forest" in terminal.run("studies.best")
        assert "Report: " in terminal.run("studies.report")
