"""The overview as a browser gets it: every experiment, its models and stages, from the store."""

import base64
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import event, text

from storage.store import Store
from studies.dashboard.notes import attach
from studies.dashboard.pages import Pages
from studies.experiment.definition import Stage
from tests.support.filled import BEST_TREE, FOREST, WINNER, Filled, around, small
from tests.support.hostile import WORDS
from tests.support.web_page import Html


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "figures"


@pytest.fixture
def pages(url: str, artifacts: Path) -> Iterator[Pages]:
    pages = Pages(url, artifacts)
    yield pages
    pages.close()


def get(pages: Pages, path: str = "/") -> tuple[str, dict[str, str], str]:
    """Status, headers and body of an answer."""
    answers: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
        answers.append((status, dict(headers)))

    answer = pages({"PATH_INFO": path, "REQUEST_METHOD": "GET"}, start)
    # A server closes what it sends.
    with closing(answer) if hasattr(answer, "close") else nullcontext():
        return *answers[0], b"".join(answer).decode()


def shown(pages: Pages) -> Html:
    status, _, body = get(pages)
    assert status == "200 OK"
    return Html(body)


def change(store: Store, study: str, **attributes: Any) -> None:
    loaded = optuna.load_study(study_name=study, storage=store.optuna)
    for name, value in attributes.items():
        loaded.set_user_attr(name, value)


SURE = {
    "repeats": 10, "contenders": ["lr-batch#0", "lr-batch#3"], "win_again": 0.49,
    "repeats_to_settle": 45,
}  # fmt: skip


def test_a_row_has_all_that_is_known_of_a_model(
    store: Store, pages: Pages, artifacts: Path
) -> None:
    filled = Filled(store)
    filled.model("MLP", around(0.80), disturbed=[True, False, False, False])
    change(store, "paper/MLP/lr-batch", **SURE)
    study = optuna.load_study(study_name="paper/MLP/lr-batch", storage=store.optuna)
    attach(study, artifacts, "heat-map.png", b"picture")
    attach(study, artifacts, "weights.safetensors", b"no picture")
    page = shown(pages)
    titles, row = page.rows
    assert titles == ["model", "lr-batch", "rerun"]
    assert row == [
        "MLP 1,234 parameters",
        "0.901 ± 0.001 learning_rate 0.001, batch_size 16 published 0.0005, 8 "
        "edge: smallest learning_rate, largest batch_size "
        "wins again 49%, 2 contenders, 45 to settle 4 of 4 cells study note heat-map",
        "0.800 ± 0.007 published 0.813 ± 0.006 1.20 ± 0.10 s published 8.4 ± 0.4 "
        "1 of 4 timings disturbed 4 of 4 reruns study note",
    ]
    (figure,) = [link for link in page.links if link.startswith("/artifacts/1/")]
    assert (artifacts / figure.rpartition("/")[2]).read_bytes() == b"picture"
    assert {"/dashboard", "/dashboard/studies/1", "/dashboard/studies/1/note"} < {*page.links}
    assert ("scope", "row") in page.attributes
    assert "2 of 2 stages complete." in page.text
    assert "No run is going on" in page.text


def test_links_lead_into_optuna_dashboard(store: Store, pages: Pages, artifacts: Path) -> None:
    Filled(store).model("MLP", around(0.80))
    study = optuna.load_study(study_name="paper/MLP/lr-batch", storage=store.optuna)
    attach(study, artifacts, "heat-map.png", b"picture")
    for link in shown(pages).links:
        if link.startswith("/"):
            status, _, body = get(pages, link)
            assert status.startswith("200"), link
            assert body == "picture" or "optuna" in body.lower()
    assert "paper/MLP/lr-batch" in get(pages, "/api/studies")[2]


def test_a_figure_whose_file_is_gone_is_not_linked(
    store: Store, pages: Pages, artifacts: Path
) -> None:
    Filled(store).model("MLP", around(0.80), stop="rerun")
    study = optuna.load_study(study_name="paper/MLP/lr-batch", storage=store.optuna)
    attach(study, artifacts, "heat-map.png", b"picture")
    for file in artifacts.iterdir():
        file.unlink()
    assert not [link for link in shown(pages).links if link.startswith("/artifacts")]


def test_stages_that_have_not_begun_and_those_a_model_has_not(store: Store, pages: Pages) -> None:
    filled = Filled(store)
    filled.model("MLP", around(0.8), stop="rerun")
    filled.model("AuxMLP", around(0.8), stop="alpha")
    titles, first, second = shown(pages).rows
    assert titles == ["model", "lr-batch", "alpha", "rerun"]
    assert first[2:] == ["", "not begun"]
    assert second[2:] == ["not begun", "not begun"]
    assert "2 of 5 stages complete" in shown(pages).text


def test_models_are_in_the_order_of_their_experiment_the_last_begun_first(
    store: Store, pages: Pages
) -> None:
    filled = Filled(store)
    filled.model("CNN", around(0.8), stop="rerun")
    filled.model("MLP", around(0.8), stop="rerun")
    Filled(store, FOREST, BEST_TREE).model("Boost", around(0.3), stop="rate")
    page = shown(pages)
    assert [row[0].split()[0] for row in page.rows] == ["model", "Boost", "model", "MLP", "CNN"]
    assert page.text.index("forest") < page.text.index("MLP")


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (f"{os.getpid()} {socket.gethostname()}", "3 of 4 cells, 1 running study"),
        ("4194305 " + socket.gethostname(), "3 of 4 cells study"),
        ("", "3 of 4 cells study"),
    ],
    ids=["held", "killed", "never held"],
)
def test_a_trial_runs_while_a_run_holds_the_store(
    store: Store, pages: Pages, url: str, holder: str, said: str
) -> None:
    """A run that was killed leaves trials that look as if they ran."""
    Filled(store).model("MLP", around(0.8), stop="rerun")
    with store.engine.begin() as connection:
        connection.execute(text("update trials set state = 'RUNNING' where number = 0"))
    if holder:
        Path(url.removeprefix("sqlite:///") + ".lock").write_text(f"{holder}\n")
    is_running = "running" in said
    page = shown(pages)
    assert said in page.rows[1][1]
    assert "best so far" in page.rows[1][1]
    assert page.elements["progress"] == 1
    assert {("max", "4"), ("value", "3")} < {*page.attributes}
    assert ("A run is going on" in page.text) is is_running
    assert ("data-seconds", "3" if is_running else "10") in page.attributes


def test_studies_beyond_a_grid_stand_in_the_cell_of_their_stage(store: Store, pages: Pages) -> None:
    filled = Filled(store, winner={**WINNER, "batch_size": 32})
    filled.model("MLP", around(0.8), stop="rerun")
    # As the driver calls a study that goes on.
    experiment = replace(
        filled.experiment,
        stages=(Stage("further", learning_rate=[0.0002], batch_size=[16], alpha=[0.0]),),
    )
    beyond = Filled(store, experiment, {"learning_rate": 0.0002, "batch_size": 16, "alpha": 0.0})
    beyond.model("MLP", around(0.8), stop="rerun")
    change(
        store, "paper/MLP/further", extends="lr-batch", extension=1,
        stages=["lr-batch", "rerun"],
        cells=[{"learning_rate": 0.0002, "batch_size": 16, "alpha": 0.0}],
    )  # fmt: skip
    titles, row = shown(pages).rows
    assert titles == ["model", "lr-batch", "rerun"]
    assert "learning_rate 0.0002, batch_size 16" in row[1]
    assert "edge: smallest learning_rate, largest batch_size" in row[1]
    assert "5 of 5 cells study note study+1 note+1" in row[1]


EXPERIMENT = "<script>alert(1)</script>"
MODEL = "../../<img src=x onerror=alert(1)>"


def test_texts_of_others_stay_texts(store: Store, pages: Pages, artifacts: Path) -> None:
    hostile = replace(
        FOREST, without={},
        stages=[Stage("shape", criterion=WORDS, depth=[1]), Stage("rate", rate=[1, 2])],
    )  # fmt: skip
    filled = Filled(store, hostile, {"criterion": WORDS[1], "depth": 1, "rate": 1})
    filled.model("Forest", around(0.3))
    filled.model("Boost", around(0.3))
    study = optuna.load_study(study_name=f"{hostile.name}/Forest/shape", storage=store.optuna)
    attach(study, artifacts, "loss.png", b"")
    with store.engine.begin() as connection:
        for change, new in (
            ("study_system_attributes set value_json = replace(value_json, 'loss.png', :new)",
             "<b onclick=x>.png"),
            ("study_user_attributes set value_json = replace(value_json, 'Boost', :new) "
             "where key = 'model'", MODEL),
            ("studies set study_name = replace(study_name, '/Boost/', :new)", f"/{MODEL}/"),
            ("study_user_attributes set value_json = replace(value_json, 'forest', :new) "
             "where key = 'experiment'", EXPERIMENT),
            ("studies set study_name = replace(study_name, 'forest/', :new)", f"{EXPERIMENT}/"),
        ):  # fmt: skip
            connection.execute(text(f"update {change}"), {"new": new})
    page = shown(pages)
    assert EXPERIMENT in page.text
    assert MODEL in page.text
    assert WORDS[1] in page.text
    assert "<b onclick=x>" in page.text
    assert page.elements.keys() <= {
        "html", "head", "meta", "title", "link", "noscript", "style", "body", "header", "h1", "h2",
        "p", "a", "span", "b", "main", "section", "table", "thead", "tbody", "tr", "th", "td",
        "progress", "footer", "time", "script",
    }  # fmt: skip
    assert page.elements["script"] == page.elements["style"] == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for link in page.links:
        assert re.fullmatch(
            r"/dashboard(/studies/\d+(/note)?)?|/artifacts/\d+/[0-9a-f-]+|data:image/svg.*", link
        )


@pytest.mark.parametrize("value", [None, 1, "word", ["\ud800", 1, None], {"a": 1}, [[]], {"a": []}])
def test_attributes_of_any_kind_break_nothing(store: Store, pages: Pages, value: Any) -> None:
    Filled(store).model("AuxMLP", around(0.8))
    names = ("grid", "cells", "stages", "models", "published", "parameters", "objective", "extends")
    for study in ("paper/AuxMLP/lr-batch", "paper/AuxMLP/rerun"):
        change(store, study, **dict.fromkeys((*names, *SURE), value))
    assert "AuxMLP" in shown(pages).text


@pytest.mark.parametrize("value", [1, "word", ["\ud800"], {"a": 1}])
def test_published_values_of_any_kind_break_nothing(store: Store, pages: Pages, value: Any) -> None:
    Filled(store).model("MLP", around(0.8))
    names = ("parameters", "mean", "deviation", "seconds", "seconds_deviation")
    for study in ("paper/MLP/lr-batch", "paper/MLP/rerun"):
        for published in (dict.fromkeys(names, value), {"parameters": {"batch_size": value}}):
            change(store, study, published=published)
            assert "0.800" in shown(pages).text


def test_nothing_but_its_own_style_and_script_may_run(store: Store, pages: Pages) -> None:
    _, headers, body = get(pages)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (code,) = re.findall(f"<{tag}>(.*?)</{tag}>", body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in body.replace("http://www.w3.org/2000/svg", "")


def test_no_statement_is_repeated_for_each_study(store: Store, pages: Pages) -> None:
    """So a page on a hundred studies comes in well under a second."""
    statements: list[str] = []
    event.listen(
        pages._current().viewer.engine, "before_cursor_execute",
        lambda connection, cursor, statement, *_: statements.append(statement),
    )  # fmt: skip
    counts = []
    for number in range(2):
        experiment = small(f"paper+{number}")
        for model in ("MLP", "AuxMLP"):
            Filled(store, experiment).model(model, around(0.8))
        statements.clear()
        assert model in shown(pages).text
        counts.append(len(statements))
    assert counts[0] == counts[1] < 20


def test_a_store_without_a_study_says_so(store: Store, pages: Pages) -> None:
    assert "No study has begun yet." in shown(pages).text


def test_a_store_of_optuna_alone_leads_on_to_its_studies(url: str, pages: Pages) -> None:
    optuna.create_study(study_name="other", storage=url)
    status, _, body = get(pages)
    assert status.startswith("503")
    assert "has no tables or views of this version" in body
    assert "/dashboard" in Html(body).links
    assert "other" in get(pages, "/api/studies")[2]
