"""Experiments side by side that differ in one setting."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from storage.reader import open_reader
from storage.store import open_store
from studies.experiment.stage import Stage
from studies.report.choice import headline, incomplete, model_runs
from studies.report.compose import compose
from studies.report.contrasts import Contrast, estimated
from studies.report.runs import ModelRun
from studies.report.searches import drawn, ties
from studies.report.settings import effects_on_other_grids, other_trainings, settings_section
from tests.support.filled import Filled, around, family, small

Read = Callable[[], list[ModelRun]]


@pytest.fixture
def read(url: str) -> Read:
    def of_store() -> list[ModelRun]:
        engine = open_reader(url)
        try:
            return model_runs(engine)
        finally:
            engine.dispose()

    return of_store


def test_another_way_of_training_counts_over_the_models_that_it_changes(
    url: str, read: Read
) -> None:
    with open_store(url) as store:
        for loss, gain in (("softmax", 0.0), ("logits", 0.01)):
            filled = Filled(store, small(loss, auxiliary=loss))
            filled.model("MLP", around(0.80))
            filled.model("AuxMLP", around(0.85 + gain))
            filled.model("AuxsiameseMLP", around(0.88 + 2 * gain, 1.2))
    ((way, models, gain_of_both),) = other_trainings(read())
    # The plain model has no such loss: its reruns are the same.
    assert way == "auxiliary logits instead of softmax"
    assert models == ["AuxMLP", "AuxsiameseMLP"]
    assert gain_of_both.value == pytest.approx(0.015)


def test_a_way_of_choosing_is_no_way_of_training(url: str, read: Read) -> None:
    with open_store(url) as store:
        Filled(store, small()).model("MLP", around(0.80))
        Filled(store, small("other", select_on="validation")).model("MLP", around(0.79))
    assert list(other_trainings(read())) == []


def test_a_race_is_compared_where_no_closer_experiment_has_the_model(url: str, read: Read) -> None:
    raced = small("raced", select_on="validation", racing=True, repeats=4)
    with open_store(url) as store:
        for model, mean in (("MLP", 0.80), ("CNN", 0.82)):
            Filled(store, small(repeats=4)).model(model, around(mean))
            Filled(store, raced).model(model, around(mean + 0.01))
        full = small("full", select_on="validation", repeats=4)
        Filled(store, full).model("MLP", around(0.80))
    text = "\n".join(settings_section(read()))
    closer, _, race = text.partition("### raced beside paper")
    assert "| 0.800 ± 0.007 | 0.800 ± 0.007 | = |" in closer
    assert "### full beside paper" in closer and "### raced beside full" not in closer
    table, *others = race.split("###")
    assert "| CNN |" in table and "| MLP |" not in table
    assert "raced also gives up cells that fall behind, which trains less." in table
    assert any("Racing gives up cells" in other for other in others)


def test_equal_means_are_no_same_trainings(url: str, read: Read) -> None:
    with open_store(url) as store:
        for loss in ("softmax", "logits"):
            Filled(store, small(loss, auxiliary=loss)).model("AuxMLP", around(0.85))
            Filled(store, small(loss, auxiliary=loss)).model("MLP", around(0.80))
    text = "".join(settings_section(read()))
    assert "| 0.850 ± 0.007 | 0.850 ± 0.007 | +0.000 [+0.000, +0.000] |" in text
    assert "| 0.800 ± 0.007 | 0.800 ± 0.007 | = |" in text


def test_a_setting_of_the_search_alone_is_no_way_of_training(url: str, read: Read) -> None:
    """Trainings with another alpha in the first stage have that as their alpha."""
    with open_store(url) as store:
        for model, mean in (("MLP", 0.86), ("CNN", 0.84), ("AuxMLP", 0.80)):
            Filled(store, small()).model(model, around(mean))
        other = {"learning_rate": 0.005, "batch_size": 8, "alpha": 1.0}
        first = Filled(store, small("alpha-first", stage1_alpha=1), other)
        first.model("AuxMLP", around(0.85, 1.1))
    runs = read()
    assert list(other_trainings(runs)) == []
    chosen = headline(runs)
    assert not any("Trained otherwise" in text for text in incomplete(runs, chosen))
    best, missed = (text for text in compose(runs, chosen)[0] if "missed" in text)
    assert "0.860 ± 0.007), followed by CNN (0.840 ± 0.007)" in best
    assert best.endswith("; AuxMLP has 0.850 ± 0.007 with parameters that its search missed.")
    there = "with learning_rate 0.005, batch_size 8, alpha 1 (alpha-first)"
    assert f" {there} than with its winner's parameters." in missed
    assert "AuxMLP is better by +0.050 [" in missed
    text = "".join(settings_section(runs))
    assert "differ in stage1_alpha alone" in text
    assert "| winner, stage1_alpha 0 | winner, stage1_alpha 1 |" in text


def test_an_experiment_with_more_reruns_is_compared_by_the_seeds_that_both_have(
    url: str, read: Read
) -> None:
    with open_store(url) as store:
        Filled(store, small()).model("AuxMLP", around(0.80))
        more = Filled(store, small("more", auxiliary="logits", reruns=6))
        more.model("AuxMLP", [*around(0.81), 0.9, 0.9])
    ((_, _, gain),) = other_trainings(read())
    assert gain.value == pytest.approx(0.01)


def test_other_data_are_not_mixed_in_where_the_search_differs_too(url: str, read: Read) -> None:
    """Settings that only one search has may mean nothing there, but the data tell."""
    with open_store(url) as store:
        Filled(store, small()).model("MLP", around(0.80))
        for split, data in (("fixed", "ab"), ("by-seed", "cd")):
            experiment = small(split, search="published", split=split)
            for model in ("MLP", "SiameseMLP"):
                Filled(store, experiment, data=data).model(model, around(0.9))
    runs = read()
    chosen = headline(runs)
    assert [run.experiment for run in chosen.values()] == ["paper", "fixed"]
    apart = "**Trained otherwise, so not mixed in**: by-seed (other data, split by-seed)."
    assert apart in list(incomplete(runs, chosen))
    (at_published,) = (text for text in compose(runs, chosen)[0] if "missed" in text)
    assert "(fixed)" in at_published and "(by-seed)" not in at_published


def test_at_one_value_of_a_parameter_times_are_compared(url: str, read: Read) -> None:
    with open_store(url) as store:
        one_size = replace(
            small("size16"),
            stages=(
                Stage("lr-batch", learning_rate=[0.005, 0.001], batch_size=[16], alpha=[0.0]),
                Stage("alpha", alpha=[0.0, 0.5, 1.0]),
            ),
        )
        for experiment, seconds in ((small(), 9.0), (one_size, 2.0)):
            Filled(store, experiment).model("UnsharedMLP", around(0.80), seconds=1.0)
            Filled(store, experiment).model("SiameseMLP", around(0.83), seconds=seconds)
        Filled(store, small()).model("UnsharedCNN", around(0.80), seconds=1.0)
        Filled(store, small()).model("SiameseCNN", around(0.83), seconds=2.0)
    chosen = {run.model: run for run in read() if run.experiment == "paper"}
    ((where, effects),) = effects_on_other_grids(read(), chosen)
    assert where == "where batch_size is 16"
    # The geometric mean of 2.0 / 1.0, 2.1 / 1.1, 2.2 / 1.2, 2.3 / 1.3.
    # The CNNs' winners have that size anyway.
    table = effects.table("seconds")
    assert "| effect | MLP | CNN | all |" in table and "| weight sharing | ×1.88 [" in table
    sentences, files = compose(read(), chosen)
    (sharing,) = (line for line in sentences if line.startswith("**Weight sharing**"))
    # Winners differ in time by their parameters as well, which is left to the table.
    assert "; training time, where batch_size is 16: MLP ×1.88 [" in sharing
    assert "own parameters" not in sharing
    assert "The same where batch_size is 16, by 4 seeds:" in files["report.md"].decode()
    assert "by the 4 seeds whose timings nothing disturbed:" in files["report.md"].decode()
    assert "differ in the values of batch_size alone" in "".join(settings_section(read()))


def test_models_whose_reruns_were_the_same_trainings_are_named(url: str, read: Read) -> None:
    with open_store(url) as store:
        for model, mean in (("MLP", 0.79), ("SiameseMLP", 0.85), ("AuxsiameseMLP", 0.85)):
            Filled(store, small()).model(model, around(mean))
        Filled(store, small()).model("UnsharedMLP", around(0.81, 1.3))
        family(Filled(store), "CNN")
    sentences, files = compose(read(), {run.model: run for run in read()})
    assert [sentence for sentence in sentences if "are the same" in sentence] == [
        "**SiameseMLP and AuxsiameseMLP are the same** at their winners' parameters: their reruns "
        "agree in every loss, as what distinguishes them is off there. So the effects leave out "
        "AuxsiameseMLP."
    ]
    # A model without the loss says nothing of the loss.
    report = files["report.md"].decode()
    assert "| auxiliary loss, with weight sharing | - | +0.060 [" in report
    assert "**Left out**, as a treatment is off at their winners' parameters: Auxsiam" in report


@pytest.mark.parametrize("is_there", [False, True])
def test_a_published_claim_is_tested_at_the_published_parameters(
    url: str, read: Read, is_there: bool
) -> None:
    first, second = "AuxsiameseCNN", "AuxsiameseResNet"
    with open_store(url) as store:
        Filled(store, small()).model(first, around(0.85))
        Filled(store, small()).model(second, around(0.91, 1.1))
        if is_there:
            at_published = Filled(store, small("published", search="published"))
            at_published.model(first, around(0.90))
            at_published.model(second, around(0.905, 3))
    runs = read()
    sentences, _ = compose(runs, headline(runs))
    (claim,) = (sentence for sentence in sentences if "published claim" in sentence)
    where = {
        False: "Our data disagree: it is better (+0.060 [+0.0",
        True: "At the published parameters our data do not contradict it: the two cannot be told "
        "apart (+0.005 [-0.0",
    }
    assert where[is_there] in claim


def test_times_of_a_restless_machine_give_no_ratio(url: str, read: Read) -> None:
    with open_store(url) as store:
        Filled(store, small()).model("MLP", around(0.80), seconds=20.0)
        Filled(store, small()).model("SiameseMLP", around(0.83), seconds=0.1)
        Filled(store, small()).model("AuxMLP", around(0.83), seconds=40.0)
    calm, restless, other = read()
    assert (calm.is_restless, restless.is_restless, other.is_restless) == (False, True, False)
    assert estimated([Contrast("time", (calm, restless))], "seconds") == [None]
    assert estimated([Contrast("time", (calm, other))], "seconds") != [None]
    assert estimated([Contrast("accuracy", (calm, restless))]) != [None]


def test_cells_that_are_exactly_as_good_as_the_winner_are_counted(url: str, read: Read) -> None:
    with open_store(url) as store:
        Filled(store, small()).model("MLP", around(0.80))
    (run,) = read()
    first, second, third, fourth = run.cells["lr-batch"]
    assert ties([first, second, third, fourth]) == ""
    # The same mean of other values, summed in another order.
    as_good = replace(second, values=tuple(reversed(first.values)))
    assert ties([first, as_good, third, fourth]) == " =1"
    assert ties([second, third, fourth]) == " =1"


def test_colours_mean_the_same_in_all_heat_maps_of_a_group(url: str, read: Read) -> None:
    with open_store(url) as store:
        for model in ("MLP", "SiameseMLP", "CNN"):
            Filled(store, small()).model(model, around(0.80))
    mlp, siamese, cnn = read()
    lower = [replace(cell, mean=(cell.mean or 0) - 0.2) for cell in siamese.cells["lr-batch"]]
    siamese = replace(siamese, cells={"lr-batch": lower})
    scales = [search.scale for _, search, _ in drawn([mlp, siamese, cnn])]
    assert scales[0] == scales[1] == pytest.approx((0.8805 - 0.2, 0.9005))
    assert scales[2] == pytest.approx((0.8805, 0.9005))
