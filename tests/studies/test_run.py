"""A small search of a real model from the command line."""

import json
from dataclasses import asdict

import pytest
from terminal import NAME, Terminal

import studies
from storage.queries import model_results
from storage.reader import open_reader


def test_a_run_says_what_it_does_and_what_came_out(whole: tuple[Terminal, str]) -> None:
    said = whole[1].splitlines()
    assert said[0].startswith(f"Experiment {NAME}: 1 model, 2 studies, 42 trainings. 0 of them")
    assert "42 are left to run" in said[0]
    assert any("MLP lr-batch 40/40 trainings" in line for line in said)
    assert any("MLP rerun 2/2 trainings" in line for line in said)
    row = next(line for line in said if line.startswith("MLP "))
    assert "0.813 ± 0.006" in row, "the paper's accuracy"
    assert "8.4 ± 0.4" in row, "the paper's seconds"
    assert "Watch:  python -m studies.dashboard" in said
    assert 'sqlite3 studies.db "select * from best_params"' in said[-1]


def test_it_leaves_the_store_a_copy_and_figures(whole: tuple[Terminal, str]) -> None:
    terminal = whole[0]
    assert sorted(path.name for path in terminal.folder.iterdir()) == [
        "studies-artifacts", "studies.db", "studies.db.bak",
    ]  # fmt: skip
    assert terminal.query("pragma integrity_check") == [("ok",)]
    assert len(terminal.trained()) == 42
    assert terminal.query("select state, count(*) from trials group by state") == [("COMPLETE", 22)]
    assert not terminal.processes()


def test_the_views_answer_plain_sql(whole: tuple[Terminal, str]) -> None:
    query = whole[0].query
    (best,) = query(
        "select experiment, model, learning_rate, batch_size, alpha, mean_accuracy, "
        "std_accuracy, runs from best_params"
    )
    assert query("select * from best_params") == [best]
    cells = query(
        "select mean_accuracy, learning_rate, -batch_size from grid_cells where experiment = "
        f"'{NAME}' and model = 'MLP' and stage = 'lr-batch' and state = 'COMPLETE'"
    )
    assert len(cells) == 20
    assert (best[5], best[2], -best[3]) == max(cells)  # type: ignore[operator]
    (result,) = query(
        "select experiment, model, parameters, learning_rate, batch_size, alpha, reruns, "
        "mean_accuracy from model_results"
    )
    assert result[:7] == (NAME, "MLP", 73314, *best[2:5], 2)
    accuracies = query("select accuracy from training_runs where seed >= 10")
    assert result[7] == pytest.approx(sum(row[0] for row in accuracies) / 2)  # type: ignore[misc]


def test_best_prints_a_table_and_json(whole: tuple[Terminal, str]) -> None:
    terminal, said = whole
    assert said.endswith(terminal.run("studies.best", "MLP"))
    (found,) = json.loads(terminal.run("studies.best", "--format", "json"))
    (result,) = model_results(open_reader(f"sqlite:///{terminal.folder / 'studies.db'}"))
    assert found["model"] == "MLP"
    assert found["result"] == asdict(result)
    assert json.loads(terminal.run("studies.best", "CNN", "--format", "json")) == []


def test_a_second_run_trains_nothing_and_says_so(
    whole: tuple[Terminal, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here as a notebook does it: `run_model` gives the results."""
    terminal = whole[0]
    before = terminal.trained(), terminal.query("select * from trials")
    monkeypatch.setenv("DIGITCMP_CACHE", str(terminal.cache))
    storage = f"sqlite:///{terminal.folder / 'studies.db'}"
    result = studies.run_model("MLP", storage, epochs=2, repeats=2, reruns=2)
    assert "42 trainings. All of them are recorded: nothing is left to train." in (
        capsys.readouterr().err
    )
    assert [result] == model_results(open_reader(storage))
    assert (terminal.trained(), terminal.query("select * from trials")) == before
    with pytest.raises(KeyError, match="MLPP"):
        studies.run_model("MLPP", storage)
