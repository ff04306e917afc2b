"""Learning rates at which nothing is learned: recorded, never tried again, never the winner."""

import json
import threading
import urllib.request
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from studies import best
from studies.dashboard.__main__ import make
from tests.faults.stores.leftovers import left, reading
from tests.faults.stores.small_searches import Record, Search

ABSURD = (1e9, 1e20, 1e39)
"""Finite losses beyond all bounds, NaN, and infinite weights."""

RATES = ",".join(map(str, (*ABSURD, 1e-3)))
FEW = ("--repeats", "1", "--reruns", "1", "--grid", f"learning_rate={RATES}")
FEW += ("--grid", "batch_size=128")


@pytest.mark.parametrize(
    "models",
    [
        ("CNN",),
        pytest.param(("MLP", "AuxMLP", "ResNet"), marks=pytest.mark.slow),
        pytest.param(("SiameseMLP", "AuxsiameseCNN", "SiameseResNet"), marks=pytest.mark.slow),
    ],
)
def test_divergence(
    models: tuple[str, ...],
    search: Search,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    record_property: Record,
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    result = search(url, *FEW, models=models)
    assert result.exit_code == 0, result.output
    assert "not up to date" not in caplog.text, "a figure or a note failed"
    with reading(url) as connection:
        rows = connection.execute(
            text("select learning_rate in (1e9, 1e20, 1e39) as absurd, status from training_runs")
        ).all()
        cells = connection.execute(
            text("select learning_rate, state from grid_cells where stage = 'lr-batch'")
        ).all()
        winners = connection.execute(text("select model, learning_rate from best_params")).all()
        trials = connection.scalar(text("select count(*) from trials"))
    wrong = [tuple(row) for row in rows if row.absurd != (row.status == "diverged")]
    wrong += [tuple(row) for row in cells if (row[0] > 1) != (row[1] == "DIVERGED")]
    wrong += [tuple(row) for row in winners if row[1] != 1e-3]
    assert sum(row.absurd for row in rows) == len(ABSURD) * len(models)
    assert len(winners) == len(models)

    before = left(url)
    again = search(url, *FEW, models=models)
    assert again.exit_code == 0
    with reading(url) as connection:
        if connection.scalar(text("select count(*) from trials")) != trials:
            wrong.append(("tried again", again.output))
    assert left(url) == before
    record_property(
        "fault",
        f"divergence of {', '.join(models)}: {sum(row.absurd for row in rows)} trainings, "
        f"{len(wrong)} violations",
    )
    assert wrong == []
    check_it_is_shown(url, models, tmp_path / "studies-artifacts")


def check_it_is_shown(url: str, models: tuple[str, ...], figures: Path) -> None:
    for form in ("table", "json"):
        shown = CliRunner().invoke(best.app, ["--storage", url, "--format", form])
        assert shown.exit_code == 0, shown.output
        assert all(model in shown.output for model in models)
    with make(url, 0, figures) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/api/studies"
            with urllib.request.urlopen(address) as answer:
                studies = json.load(answer)["study_summaries"]
            for study in studies:
                with urllib.request.urlopen(f"{address}/{study['study_id']}") as answer:
                    detail = json.load(answer)
                if study["study_name"].endswith("/lr-batch"):
                    assert "**4 of 4 cells done**, 3 of them diverged" in detail["note"]["body"]
        finally:
            server.shutdown()
            thread.join()
    assert len(studies) >= 2 * len(models)
