"""The report as people get it: from real stores, through the command."""

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import studies
from storage.reader import open_reader
from storage.store import open_store
from storage.trainings import record
from studies.display.words import timing_remarks
from studies.experiment.study import grid_study
from studies.report import __main__ as command
from studies.report.choice import asked_for, headline, model_runs
from studies.report.contrasts import Contrast, estimated
from studies.report.headline import headline_section, headline_table
from studies.report.optimism import values_on_test
from studies.report.page import Pictures
from studies.report.published import against_published, is_far
from studies.report.runs import ModelRun
from studies.report.searches import dead_trainings
from tests.support.filled import PAPER, Filled, around, family, small


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The MLPs complete, CNN without its reruns, and experiments that choose otherwise."""
    url = f"sqlite:///{tmp_path_factory.mktemp('family') / 'studies.db'}"
    with open_store(url) as store:
        family(Filled(store))
        Filled(store).model("CNN", around(0.8), stop="rerun")
        validation = small("paper+select-on=validation", select_on="validation")
        chosen = Filled(store, validation)
        chosen.model("MLP", around(0.78))
        joint = Filled(store, small("paper+search=joint", search="joint"))
        joint.winner = {"learning_rate": 0.005, "batch_size": 16, "alpha": 1.0}
        joint.model("AuxMLP", around(0.86))
        published = small("paper+search=published", search="published")
        Filled(store, published).model("AuxMLP", around(0.858))
        name = "paper+auxiliary=logits,search=published"
        other_loss = small(name, search="published", auxiliary="logits")
        Filled(store, other_loss).model("AuxMLP", around(0.870))
        name = "paper+rank-by=lower-bound,epochs=9"
        Filled(store, small(name, rank_by="lower-bound", epochs=9)).model("MLP", around(0.7))
        # A repeat of no experiment that is left in the store.
        grid = grid_study(validation, "MLP", "lr-batch", None)
        cell = {"learning_rate": 0.001, "batch_size": 16}
        record(store.engine, [chosen.training(grid, cell, 7, 0.1)])
    return url


@pytest.fixture(scope="module")
def typed(url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder in which the command was typed, and what it said, with what it had loaded."""
    folder = tmp_path_factory.mktemp("typed")
    code = (
        "import sys, runpy; sys.argv = ['report', *sys.argv[1:]]\n"
        "try: runpy.run_module('studies.report', run_name='__main__')\n"
        "finally: print({'torch', 'optuna', 'distributed'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--storage", url],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return folder, done.stdout.splitlines()


@pytest.fixture(scope="module")
def written(typed: tuple[Path, list[str]]) -> Path:
    return typed[0] / "report"


@pytest.fixture(scope="module")
def text(written: Path) -> str:
    """The answer and the details."""
    return (written / "report.md").read_text() + (written / "details.md").read_text()


def test_it_begins_with_what_the_data_say(text: str) -> None:
    first, *_ = text.split("## Accuracy and time")
    effects = {
        "Two branches": "test accuracy rises (+0.010 [+0.010, +0.010] in MLP)",
        "Weight sharing, without auxiliary loss": "test accuracy rises (+0.020 [+0.018, +0.022]",
        "Auxiliary loss, without weight sharing": "test accuracy rises (+0.040 [+0.038, +0.042]",
        "Weight sharing and auxiliary loss": "test accuracy rises (+0.080 [+0.",
        "Interaction of weight sharing and auxiliary loss": "both together give more than the sum "
        "of what each gives (+0.020 [+0.",
    }
    for name, effect in effects.items():
        assert f"- **{name}**: {effect}" in first
    assert (
        "without weight sharing**: test accuracy rises (+0.040 [+0.038, +0.042] in MLP); " in first
    )
    assert "; training time, each at its own parameters: MLP ×2.01 [1.67, 2.42]." in first
    assert "AuxsiameseMLP has the best test accuracy** of 5 models, each at its own " in first
    assert "parameters (0.890 ± 0.008), followed by AuxMLP (0.850 ± 0.006);" in first
    # All four seeds agree, and no p of four seeds is smaller.
    assert "AuxMLP (0.850 ± 0.006); the lead of +0.040 may be chance (p = 0.125, " in first
    assert "**Auxiliary logits instead of softmax**: test accuracy rises (+0.012 [+0.012, " in first
    assert "+0.012] in AuxMLP)" in first
    assert "no model of 1 clearly differs from what is published; the largest difference" in first
    assert "AuxMLP's (+0.002 [-0.009, +0.013])" in first
    assert "CNN in paper (rerun: 0 of 4 trainings)" in first
    assert "**Not begun**: SiameseCNN, AuxCNN," in first
    # A claim on models that are not complete is not judged.
    assert "published claim" not in first
    assert 4 <= first.count("\n- ") <= 12


def test_ours_stands_beside_what_is_published_with_marks(text: str) -> None:
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("| ")}
    assert (
        "| MLP | 0.800 ± 0.007 | 0.813 ± 0.006 | -0.013 |  | 1.15 ± 0.13 |  | 8.4 ± 0.4 |" in text
    )
    assert "| AuxMLP | 0.850 ± 0.006 | 0.856 ± 0.011 | -0.006 |  |" in text
    # Of p-values 0.020, 0.011, 0.22 and 0.021 one is below 0.0127, which leaves 0.05 for all four.
    assert "each at its own winner's parameters: 1 of 4 clearly differs; " in text
    assert "SiameseMLP (-0.017 [-0.033, -0.001]) is lower; by more than 0.03: none." in text
    assert "| SiameseMLP | 0.830 ± 0.007 | 0.847 ± 0.012 | -0.017 | † |" in text
    assert "CNN" not in rows
    assert "| MLP | 0.001 | 16 | - | 0.0005, 8 | 1,234 | 4 |" in text


def beyond_noise(runs: list[ModelRun]) -> set[str]:
    return {model for model, gap in against_published(runs).items() if gap.direction}


def test_marks_are_for_what_is_beyond_noise_far_or_restless(url: str) -> None:
    run = headline(model_runs(open_reader(url)))["MLP"]

    def measured(mean: float, deviation: float | None = 0.006, reruns: int = 10) -> ModelRun:
        return of("MLP", mean, deviation, reruns)

    def of(model: str, mean: float, deviation: float | None = 0.006, reruns: int = 10) -> ModelRun:
        made = replace(run, model=model, studies={
            stage: replace(
                study,
                attributes={**study.attributes, "published": asdict(PAPER.published[model])},
            )
            for stage, study in run.studies.items()
        })  # fmt: skip
        made.__dict__["result"] = replace(
            run.result, mean=mean, deviation=deviation, reruns=reruns, mean_seconds=2.0,
            deviation_seconds=0.5,
        )  # fmt: skip
        return made

    one = measured(0.813)
    assert not (beyond_noise([one]) or is_far(one) or one.is_restless)
    # A standard error is 0.0027: Welch's test needs 2.1 of them, with twelve models 3.3.
    assert beyond_noise([measured(0.819)]) == {"MLP"}
    assert beyond_noise([measured(0.818)]) == set()
    others = [of(model, known.mean) for model, known in PAPER.published.items() if model != "MLP"]
    assert beyond_noise([*others, measured(0.819)]) == set()
    assert beyond_noise([*others, measured(0.823)]) == {"MLP"}
    assert not beyond_noise([measured(0.9, None, 1)])
    assert is_far(measured(0.7829)) and is_far(measured(0.844))
    one.__dict__["result"] = replace(one.result, deviation_seconds=0.51)
    assert one.is_restless


def test_seconds_of_disturbed_timings_are_neither_shown_nor_compared(
    tmp_path: Path, no_pictures: None
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with open_store(url) as store:
        filled = Filled(store)
        filled.model("MLP", around(0.8), disturbed=(True, False, True, False))
        filled.model("SiameseMLP", around(0.83), disturbed=(False, True, False, False))
        filled.model("AuxMLP", around(0.85), seconds=2.15, disturbed=(False,))
    runs = headline(model_runs(open_reader(url)))
    few, enough, unknown = runs.values()
    assert [run.result.mean_seconds for run in runs.values()] == [
        None, pytest.approx((1.0 + 1.2 + 1.3) / 3), pytest.approx(2.3)
    ]  # fmt: skip
    assert "| 2 of 4 undisturbed |" in headline_table(runs)
    assert estimated([Contrast("few", (few, unknown))], "seconds") == [None]
    (ratio,) = estimated([Contrast("enough", (enough, unknown))], "seconds")
    assert ratio is not None
    # By the seeds of undisturbed timings alone.
    ratios = (2.15 / 1.0) * (2.35 / 1.2) * (2.45 / 1.3)
    assert ratio.value == pytest.approx(ratios ** (1 / 3))
    remarks = timing_remarks([run.result for run in runs.values()])
    assert [remark.partition(":")[0] for remark in remarks] == [
        "No seconds are shown of MLP",
        "Seconds are means of undisturbed timings; left out, as other programs used the "
        "processors, are 1 of 4 (SiameseMLP).",
        "It is not known whether other programs disturbed the timings of AuxMLP.",
    ]
    section = list(headline_section(runs, "accuracy", Pictures()))
    assert set(remarks) <= set(section)


def test_the_published_settings_are_those_of_reruns_where_there_are_any(text: str) -> None:
    """Else the nearest cell of the search stands for them."""
    section = text.split("## At the published settings")[1].split("\n## ")[0]
    rows = {line.split()[1]: line for line in section.splitlines() if line.startswith("| ")}
    assert rows["AuxMLP"] == (
        "| AuxMLP | 0.005, 16, 0.9 | 0.005, 16, 0.9 | 4 reruns | 0.858 ± 0.007 | "
        "0.856 ± 0.011 | +0.002 [-0.013, +0.017] | +0.4 |"
    )
    assert rows["SiameseMLP"].startswith(
        "| SiameseMLP | 0.005, 8 | 0.005, 8 | 2 repeats of a cell |"
    )
    assert rows["AuxsiameseMLP"].split("|")[2:5] == [
        " 0.005, 8, 0.7 ", " 0.005, 8, 0 ", " 2 repeats of a cell ",
    ]  # fmt: skip
    # The published learning rate is not in this store's grid.
    assert rows["MLP"].startswith("| MLP | 0.0005, 8 | 0.001, 8 | 2 repeats of a cell |")


def test_any_other_setting_gives_a_difference_by_seed(text: str) -> None:
    beside = text.split("## Other ways")[1].split("\n## ")[0]
    title = "### paper+auxiliary=logits,search=published beside paper+search=published"
    (part,) = (part for part in beside.split("\n\n###") if title[4:] in part)
    assert "differ in auxiliary alone" in part
    assert "| winner, softmax | winner, logits | accuracy, softmax | accuracy, logits |" in part
    assert "| 0.858 ± 0.007 | 0.870 ± 0.007 | +0.012 [+0.012, +0.012] |" in part
    # Reruns of published parameters were not searched: they are no way to choose.
    assert beside.count("paper+search=published") == 1


def test_searches_say_how_certain_they_are(text: str) -> None:
    # 0.01 ahead of two cells, on both seeds alike.
    row = next(line for line in text.splitlines() if line.startswith("| MLP/lr-batch"))
    # Two repeats tell no cells apart, though none differs from one draw of them to the next.
    assert row.startswith(
        "| MLP/lr-batch | 0.001, 16 | 0.9005 | 4 of 4 | 100% | 0.005, 16 | +0.0100 ± 0.0000 | 2 |"
    )
    assert row.endswith("| learning_rate 0.001 is the smallest; batch_size 16 is the largest |")
    assert "| MLP | 0.9005 | 0.8000 | +0.1005 ± 0.0034 |" in text
    assert "| AuxMLP/alpha | 0.001, 16, 0.5 |" in text
    assert "| 0 | 0 | learning_rate 0.001 is" in row
    assert "(accuracy up to 0.6)" in text


def test_trainings_that_learned_nothing_show_where_they_may_decide(url: str) -> None:
    (run,) = (run for run in model_runs(open_reader(url)) if run.experiment == "paper+search=joint")
    first, second, third, *_ = run.cells["joint"]
    alive = replace(first, dead=0)
    assert dead_trainings([alive, alive, alive], [alive, alive]) == "0"
    given_up = replace(third, dead=1, state="PRUNED")
    assert dead_trainings([alive, alive, given_up], [alive, alive]) == "1"
    cells = [alive, replace(second, dead=1), replace(third, dead=2)]
    assert dead_trainings(cells, cells[:2]) == "3 (1 in the first two)"


def test_experiments_that_choose_otherwise_stand_beside(text: str) -> None:
    beside = text.split("## Other ways")[1].split("\n## ")[0]
    validation, joint = beside.split("###")[1:3]
    assert "paper+select-on=validation beside paper" in validation
    assert (
        "| 0.800 ± 0.007 | 0.780 ± 0.007 | -0.020 [-0.020, -0.020] | +0.1005 ± 0.0034 | +0.1205 ±"
        in validation
    )
    assert "| winner, chosen on test | winner, chosen on validation | accuracy, c" in validation
    assert "| chosen on validation - chosen on test | optimism, chosen on test |" in validation
    assert "| optimism, chosen on test | optimism, chosen on validation |" in validation
    # The joint winner's cell is two steps away from that of the stages: 0.02 better there.
    assert "| AuxMLP | 0.001, 16, 0.5 | 0.005, 16, 1 | 0.850 ± 0.006 | 0.860 ± 0.007 |" in joint
    assert joint.rstrip().endswith("| +0.0200 ± 0.0000 |")
    # Neither speaks for its model.
    assert "| MLP | 0.780" not in text
    # An experiment that differs in more tells of neither way.
    assert (
        "**Trained otherwise, so not mixed in**: paper+auxiliary=logits,search=published "
        "(auxiliary logits instead of softmax); paper+rank-by=lower-bound,epochs=9 (epochs 9 "
        "instead of 25)." in text
    )
    assert "epochs=9" not in beside


def test_only_a_searchs_own_repeats_tell_of_its_winner(url: str) -> None:
    engine = open_reader(url)
    (run,) = asked_for(model_runs(engine), ["paper+select-on=validation"])
    assert values_on_test(run) == [0.9, 0.901]
    assert values_on_test(replace(run, trainings={})) == []


def test_all_pairs_stand_in_one_matrix(text: str) -> None:
    section = text.partition("## Pairs of models")[2].partition("\n## ")[0]
    assert "mean over 4 seeds" in section and "all 10 pairs" in section
    # Of four seeds no pair can be told apart: the least p of sign flips is 1/8.
    assert "| 1 MLP | -0.030 | -0.050 | -0.090 | -0.010 |" in section
    assert "| 4 AuxsiameseMLP |  |  |  | +0.080 |" in section


def test_each_experiment_shows_its_grid(text: str) -> None:
    section = text.partition("## Where the results come from")[2]
    lines = re.findall(r"^- \*\*(.*)\*\*: .*; grid: (.*); trainings: ", section, re.MULTILINE)
    assert len(lines) == 6
    for name, grid in lines:
        values = "learning_rate 0.005, 0.001; batch_size 8, 16"
        # The other experiments train MLP alone, which has no alpha.
        values += "; alpha 0, 0.5, 1" if name in ("paper", "paper+search=joint") else ""
        assert grid == ("no search" if "search=published" in name else values)
    # What all share is said once.
    assert section.count("objective: accuracy") == section.count("git commit: not known") == 1


def test_names_from_a_store_do_no_harm(text: str, written: Path) -> None:
    assert "x86_64 &lt;i>&#124;here" in text
    assert "x86_64 &lt;i&gt;|here" in (written / "report.html").read_text()


def test_the_page_needs_nothing_beside_it(written: Path, text: str) -> None:
    page = (written / "report.html").read_text()
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert len(pictures) >= 10
    assert set(pictures) == {f"figures/{file.name}" for file in (written / "figures").iterdir()}
    sources = re.findall(r'<img src="([^"]{0,30})', page)
    assert len(sources) == len(pictures)
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in sources)
    assert "://" not in page
    assert page.count("<table>") == page.count('<div class="scroll"><table>') >= 7
    assert "<summary>Times of all pairs</summary>" in page


def test_all_trainings_are_in_the_table(written: Path) -> None:
    with (written / "training_runs.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [
        "fingerprint", "model", "learning_rate", "batch_size", "alpha", "seed", "epochs",
        "auxiliary", "data", "status", "accuracy", "validation_accuracy", "train_seconds",
        "cpu_seconds", "threads", "loss_curve", "host", "started_at", "processor",
        "disturbance", "git_commit", "rerun_of", "check",
    ]  # fmt: skip
    trainings = [dict(zip(header, row, strict=True)) for row in rows]
    reruns = [run["rerun_of"] for run in trainings if run["rerun_of"]]
    assert len(reruns) == 5 * 4 + 5 * 4
    assert reruns.count("paper/MLP/rerun") == 4
    # Each once: MLP, SiameseMLP, CNN have four cells; an auxiliary loss gives two more, AuxMLP four
    # of its own at alpha 0, a joint search the six that were not there, other epochs another four.
    assert len(trainings) - len(reruns) == 2 * (3 * 4 + 4 + 2 * 2 + (12 - 6) + 4)
    assert json.loads(trainings[0]["loss_curve"]) == [0.7, 0.6]


def test_experiments_speak_in_the_order_in_which_they_are_named(url: str) -> None:
    runs = model_runs(open_reader(url))
    names = list(dict.fromkeys(run.experiment for run in runs))
    assert names[0] == "paper"
    # All that choose otherwise, and last those that differ in more.
    assert names[-2:] == [
        "paper+auxiliary=logits,search=published", "paper+rank-by=lower-bound,epochs=9",
    ]  # fmt: skip
    by_default = headline(asked_for(runs, []))
    assert list(by_default) == ["MLP", "SiameseMLP", "AuxMLP", "AuxsiameseMLP", "UnsharedMLP"]
    assert {run.experiment for run in by_default.values()} == {"paper"}
    named = headline(asked_for(runs, ["paper+search=joint", "paper"]))
    assert list(named) == list(by_default)
    assert named["AuxMLP"].experiment == "paper+search=joint"
    table = headline_table(named)
    assert "| AuxMLP | 0.860 ± 0.007 |" in table
    assert table.count("| paper |") == 4 and table.count("| paper+search=joint |") == 1
    assert list(headline(asked_for(runs, ["paper+search=joint"]))) == ["AuxMLP"]


def test_as_typed_it_is_written_without_torch_or_optuna(typed: tuple[Path, list[str]]) -> None:
    *findings, where, loaded = typed[1]
    assert loaded == "set()"
    assert where == "Report: report/report.html"
    assert findings[0].startswith("At the published parameters no model of 1 ")
    assert not any("**" in sentence for sentence in findings)


@pytest.mark.slow
def test_written_again_it_is_the_same_report(url: str, written: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command.app, ["--storage", url, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "out") == contents(written)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
