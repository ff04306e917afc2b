"""The README's first screen says what the published trainings say."""

import csv
import math
import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev

import pytest

from studies.paper import PAPER
from studies.wording import plus_minus

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"

Row = tuple[str, str, str]
"""Model, accuracy, seconds."""


@pytest.fixture
def readme() -> str:
    return (ROOT / "README.md").read_text()


@pytest.fixture
def measured() -> dict[str, Row]:
    """From every single rerun of the experiments that keep the paper's way of choosing."""
    reruns = defaultdict[str, list[tuple[float, float]]](list)
    with (RESULTS / "training_runs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "ok":
                pair = (float(row["accuracy"]), float(row["train_seconds"]))
                reruns[row["rerun_of"]].append(pair)
    found = {}
    for model in PAPER:
        # The searches of the ResNets had one repeat.
        experiment = "paper+repeats=1" if "ResNet" in model else "paper"
        of_model = reruns.get(f"{experiment}/{model}/rerun")
        if of_model is None:
            continue
        assert len(of_model) == 10
        accuracies, seconds = zip(*of_model, strict=True)
        found[model] = (
            model,
            plus_minus(fmean(accuracies), stdev(accuracies), 3),
            plus_minus(fmean(seconds), stdev(seconds), 2),
        )
    return found


def test_its_table_is_that_of_the_trainings(readme: str, measured: dict[str, Row]) -> None:
    rows = re.findall(r"^\| \w+ \|.* ± .* ± .* ± .* ± .*$", readme, re.MULTILINE)
    cells = [re.split(r" *\| *", row)[1:-1] for row in rows]
    shown = {model: (model, accuracy, seconds) for model, accuracy, _, seconds, _ in cells}
    assert shown == measured


def test_it_has_the_papers_figures_beside_them(readme: str) -> None:
    shown = re.findall(r"^\| (\w+) \|.* ± .* ± .* ± .* ± .*$", readme, re.MULTILINE)
    assert shown
    for model in shown:
        paper = PAPER[model]
        (line,) = re.findall(rf"^\| {model} \|.* ± .* ± .* ± .* ± .*$", readme, re.MULTILINE)
        assert plus_minus(paper.accuracy, paper.accuracy_deviation, 3) in line
        assert plus_minus(paper.seconds, paper.seconds_deviation, 1) in line


def test_its_replication_is_that_of_the_trainings(readme: str) -> None:
    """Each mean, each difference in standard errors, and that all twelve are there."""
    reruns = defaultdict[str, list[float]](list)
    with (RESULTS / "as_published.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["rerun_of"].startswith("paper+search=published/"):
                reruns[row["model"]].append(float(row["accuracy"]))
    rows = re.findall(r"^\| (\w+) \| (.*?) \| (.*?) \| (.*? s\.e\.\)) \|", readme, re.MULTILINE)
    assert [model for model, *_ in rows] == list(PAPER)
    for model, ours, theirs, difference in rows:
        paper, accuracies = PAPER[model], reruns[model]
        assert len(accuracies) == 10
        mean, deviation = fmean(accuracies), stdev(accuracies)
        assert ours == plus_minus(mean, deviation, 3)
        assert theirs == plus_minus(paper.accuracy, paper.accuracy_deviation, 3)
        error = math.hypot(deviation, paper.accuracy_deviation) / math.sqrt(10)
        away = mean - paper.accuracy
        assert difference == f"{away:+.3f} ({away / error:+.1f} s.e.)"
        assert abs(away / error) < 2 and abs(away) < 0.03


def test_its_findings_are_the_reports(readme: str) -> None:
    report = (RESULTS / "report.md").read_text()
    section = readme.partition("## What was found\n")[2].partition("\n## ")[0]
    said = [" ".join(each.split()) for each in re.findall(r"(?s)^- (.*?)(?=^- |^$)", section, re.M)]
    assert said
    assert [sentence for sentence in said if f"- {sentence}\n" not in report] == []
