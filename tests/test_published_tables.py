"""The README's and the manual's tables of results are those of the published trainings."""

import csv
import math
import re
from collections import defaultdict
from statistics import fmean, stdev

import pytest

from studies.display.words import plus_minus
from studies.paper import experiment as paper
from tests.support.pages import README, ROOT, rows

RESULTS = ROOT / "docs" / "results.md"
PUBLISHED = ROOT / "docs" / "results"


def reruns(file: str, experiment: str) -> dict[str, list[tuple[float, float]]]:
    """Accuracy and seconds of each rerun of an experiment, by model."""
    found = defaultdict[str, list[tuple[float, float]]](list)
    with (PUBLISHED / file).open(newline="") as lines:
        for row in csv.DictReader(lines):
            if row["status"] == "ok" and row["rerun_of"].startswith(f"{experiment}/"):
                found[row["model"]].append((float(row["accuracy"]), float(row["train_seconds"])))
    return found


def test_the_replication_is_that_of_the_trainings() -> None:
    """Each mean, each difference in standard errors, and that all twelve are there."""
    measured = reruns("as_published.csv", "paper+search=published")
    published = paper().published
    shown = list(rows(README, "model"))
    assert [row[0] for row in shown] == list(published)
    for model, ours, theirs, difference, _ in shown:
        known, accuracies = published[model], [accuracy for accuracy, _ in measured[model]]
        assert len(accuracies) == 10
        mean, deviation = fmean(accuracies), stdev(accuracies)
        assert ours == plus_minus(mean, deviation, 3)
        assert theirs == plus_minus(known.mean, known.deviation, 3)
        error = math.hypot(deviation, known.deviation) / math.sqrt(10)
        away = mean - known.mean
        assert difference == f"{away:+.3f} ({away / error:+.1f} s.e.)"
        assert abs(away / error) < 2 and abs(away) < 0.03


def test_the_table_of_winners_is_that_of_the_trainings() -> None:
    usual, few = (reruns("training_runs.csv", name) for name in ("paper", "paper+repeats=1"))
    shown = list(rows(RESULTS, "model"))
    assert [row[0] for row in shown] == list(paper().published)
    for model, accuracy, published, seconds, published_seconds in shown:
        # The searches of the ResNets had one repeat.
        measured = (few if "ResNet" in model else usual)[model]
        assert len(measured) == 10
        accuracies, times = zip(*measured, strict=True)
        assert accuracy == plus_minus(fmean(accuracies), stdev(accuracies), 3)
        assert seconds == plus_minus(fmean(times), stdev(times), 2)
        known = paper().published[model]
        assert known.seconds is not None
        assert published == plus_minus(known.mean, known.deviation, 3)
        assert published_seconds == plus_minus(known.seconds, known.seconds_deviation, 1)


@pytest.mark.parametrize("number", range(8))
def test_a_finding_is_the_reports(number: int) -> None:
    report = (PUBLISHED / "report.md").read_text()
    findings = re.findall(r"(?s)^- (\*\*.*?)(?=^- |\n\n)", RESULTS.read_text(), re.MULTILINE)
    assert len(findings) == 8
    assert f"- {' '.join(findings[number].split())}\n" in report
