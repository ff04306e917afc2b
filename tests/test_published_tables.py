"""The README's and the manual's tables of results are those of the published trainings."""

import csv
import math
import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev

import pytest

from studies.display.words import fixed, plus_minus
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


def with_one_softmax() -> dict[str, str]:
    """By how much each model is better there, as the report has it."""
    details = (PUBLISHED / "details.md").read_text()
    _, _, beside = details.partition("logits,search=published beside paper+search=published\n")
    lines = [line.split(" | ") for line in beside.split("\n#")[0].splitlines() if "[" in line]
    return {line[0].removeprefix("| "): line[-1].removesuffix(" |") for line in lines}


def test_the_replication_is_that_of_the_trainings() -> None:
    """Each mean, each difference in standard errors, and that all twelve are there."""
    measured = reruns("training_runs.csv", "paper+search=published")
    published, gains = paper().published, with_one_softmax()
    shown = list(rows(README, "model"))
    assert [row[0] for row in shown] == list(published)
    for model, ours, theirs, difference, gain in shown:
        known, accuracies = published[model], [accuracy for accuracy, _ in measured[model]]
        assert len(accuracies) == 10
        mean, deviation = fmean(accuracies), stdev(accuracies)
        assert ours == plus_minus(mean, deviation, 3)
        assert theirs == plus_minus(known.mean, known.deviation, 3)
        error = math.hypot(deviation, known.deviation) / math.sqrt(10)
        away = mean - known.mean
        assert difference == f"{fixed(away, 3, '+')} ({fixed(away / error, 1, '+')} s.e.)"
        assert abs(away / error) < 2 and abs(away) < 0.03
        assert gain == gains.get(model, "-")


def test_the_table_of_winners_is_that_of_the_trainings() -> None:
    """Twenty reruns of each model; nothing is published of the three controls."""
    measured, published = reruns("training_runs.csv", "paper"), paper().published
    shown = list(rows(RESULTS, "model"))
    assert [row[0] for row in shown] == list(paper().models)
    assert sorted(measured) == sorted(row[0] for row in shown)
    for model, accuracy, of_paper, seconds, seconds_of_paper in shown:
        accuracies, times = zip(*measured[model], strict=True)
        assert len(accuracies) == 20
        assert accuracy == plus_minus(fmean(accuracies), stdev(accuracies), 3)
        assert seconds == plus_minus(fmean(times), stdev(times), 2)
        known = published.get(model)
        if known is None:
            assert (of_paper, seconds_of_paper) == ("-", "-")
        else:
            assert known.seconds is not None
            assert of_paper == plus_minus(known.mean, known.deviation, 3)
            assert seconds_of_paper == plus_minus(known.seconds, known.seconds_deviation, 1)


def test_the_findings_are_the_reports() -> None:
    assert _findings(RESULTS) == _findings(PUBLISHED / "report.md")
    assert len(_findings(RESULTS)) > 10


@pytest.mark.parametrize("page", [README, RESULTS])
def test_each_number_of_the_text_is_the_reports(page: Path) -> None:
    """With its interval or deviation, where it has one."""
    number = re.compile(r"[+-]?\d+\.\d+(?: \[[^\]]+\]| ± \d+\.\d+)?")
    report = "".join((PUBLISHED / name).read_text() for name in ("report.md", "details.md"))
    found = page.read_text().partition("What was found\n")[2].partition("\n## Use")[0]
    text = " ".join(re.sub(r"(?m)^\|.*", "", found).split())
    assert len(number.findall(text)) > 3
    assert set(number.findall(text)) <= set(number.findall(report))


def _findings(page: Path) -> list[str]:
    findings = re.findall(r"(?s)^- (\*\*.*?)(?=^- |\n\n)", page.read_text(), re.MULTILINE)
    return [" ".join(finding.split()) for finding in findings]
