"""Reports on experiments other than the paper's."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from storage.store import Store
from studies.experiment.stage import Stage
from studies.report import __main__ as command
from tests.support.filled import BEST_TREE, FOREST, LENET, Filled, around, family, small

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_fourth_architecture_stands_beside_the_others(store: Store, tmp_path: Path) -> None:
    family(Filled(store))
    family(Filled(store, LENET), "LeNet")
    text = report(store, tmp_path)
    both = "**Weight sharing, with auxiliary loss**: test accuracy rises (+0.040 [+0.032, +0.048] "
    assert f"{both}over all; MLP +0.040 [+0.032, +0.048]; LeNet +0.040 [" in text
    # A control that the one lacks: its effects are those of the other.
    assert "**Two branches**: test accuracy rises (+0.010 [+0.010, +0.010] in MLP)" in text
    assert "| LeNet | 0.800 ± 0.007 | - | - |  | 1.15 ± 0.13 |  | - |" in text
    assert "| AuxLeNet | 0.001 | 16 | 0.5 | - | 1,234 | 4 |" in text
    assert "1 of 4 clearly differs; SiameseMLP" in text


def test_an_experiment_of_its_own_has_a_report_of_its_own(store: Store, tmp_path: Path) -> None:
    """Words, a loss, no factors, nothing published: what would be empty is left out."""
    filled = Filled(store, FOREST, BEST_TREE)
    filled.model("Forest", around(0.4))
    filled.model("Boost", around(0.35, 2))
    text = report(store, tmp_path)
    assert text.startswith(
        "# Results of forest\n\n- **Boost has the best test loss** of 2 models, each at its own "
        "parameters (0.350 ± 0.014), followed by Forest (0.400 ± 0.007); the lead of -0.050 may be "
        "chance (p = 0.125, corrected for all pairs).\n\n"
        "**Not begun**: Stump.\n\n## Loss and time\n\n| model | loss |  | seconds |  |\n"
    )
    assert "| model | depth | criterion | rate | trainable parameters | reruns |" in text
    assert "| Boost | 8 | entropy | 0.1 | 1,234 | 4 |" in text
    for word in ("ublished", "Effects", "guessing", "dead", "architecture"):
        assert word not in text
    # The winner's loss is the lowest: more than another's is a lead.
    shape = "| Boost/shape | 8, entropy, 0.5 | 0.9095 | 6 of 6 | 100% | 4, entropy, 0.5 | +0.0100"
    assert shape in text
    assert "| 2 | 0 | rate 0.1 is the smallest |" in text
    assert "| Boost | 0.8995 | 0.3500 | -0.5495 ± 0.0068 |" in text
    with (tmp_path / "out" / "training_runs.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:10] == [
        "fingerprint", "model", "depth", "criterion", "rate", "seed", "data", "status", "loss",
        "validation_loss",
    ]  # fmt: skip
    assert len(rows) == 2 * (2 * (6 + 1) + 4)


def test_two_reruns_that_differ_give_a_report(store: Store, tmp_path: Path) -> None:
    """Their intervals have hardly an end, least of all as ratios."""
    filled = Filled(store, small(reruns=2))
    for model, values in {"MLP": (0.80, 0.81), "UnsharedMLP": (0.50, 0.9999999)}.items():
        filled.model(model, values)
    text = report(store, tmp_path)
    assert "| two branches | ×765.78 &#91;0.00, 1.51e+47&#93; |" in text


def test_a_figure_is_that_of_its_stage_where_names_begin_alike(
    store: Store, tmp_path: Path
) -> None:
    first, second = FOREST.stages
    stages = (Stage("shape-first", **first.grid), Stage("shape", **second.grid))
    Filled(store, replace(FOREST, stages=stages), BEST_TREE).model("Forest", around(0.4))
    text = report(store, tmp_path)
    assert "![Forest, shape-first](figures/Forest-shape-first-heat-map.png)" in text
    assert text.count("![Forest, shape](figures/Forest-shape-curve.png)") == 1


def report(store: Store, folder: Path) -> str:
    arguments = ["--storage", store.url, "--out", str(folder / "out")]
    result = CliRunner().invoke(command.app, arguments)
    assert result.exit_code == 0, result.output
    out = folder / "out"
    return (out / "report.md").read_text() + (out / "details.md").read_text()
