"""What factors do: which effects are asked of which models, and how they are estimated."""

import math
from dataclasses import replace
from itertools import product

import pytest

from storage.reader import open_reader
from storage.store import open_store
from studies.report.choice import model_runs
from studies.report.contrasts import Contrast, Pairs, comparisons, estimated
from studies.report.effects import POOLED, Effects, weights
from studies.report.runs import ModelRun
from studies.report.statistics import Estimate
from tests.support.filled import Filled, around

B, S, A = "two branches", "weight sharing", "auxiliary loss"
NAMES = (B, S, A)
FORMS = [frozenset(form) for form in ((), (B,), (B, S), (B, A), (B, S, A))]
MEANS = {
    "MLP": 0.80, "UnsharedMLP": 0.83, "SiameseMLP": 0.84, "AuxMLP": 0.86, "AuxsiameseMLP": 0.88,
    "CNN": 0.82, "UnsharedCNN": 0.84, "SiameseCNN": 0.86, "AuxCNN": 0.86, "AuxsiameseCNN": 0.90,
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelRun]:
    url = f"sqlite:///{tmp_path_factory.mktemp('effects') / 'studies.db'}"
    with open_store(url) as store:
        for place, (model, mean) in enumerate(MEANS.items()):
            # Seeds are good and bad for all models, but not equally.
            Filled(store).model(model, around(mean, 1 + place / 10))
    engine = open_reader(url)
    try:
        return {run.model: run for run in model_runs(engine)}
    finally:
        engine.dispose()


def test_each_change_is_asked_for_beside_each_other_one() -> None:
    asked = weights(NAMES, FORMS)
    none, branches, shared, auxiliary, both = FORMS
    assert asked == {
        B: {none: -1, branches: 1},
        f"{S}, without {A}": {branches: -1, shared: 1},
        f"{S}, with {A}": {auxiliary: -1, both: 1},
        f"{A}, without {S}": {branches: -1, auxiliary: 1},
        f"{A}, with {S}": {shared: -1, both: 1},
        f"{S} and {A}": {branches: -1, both: 1},
        f"interaction of {S} and {A}": {branches: 1, shared: -1, auxiliary: -1, both: 1},
    }


def test_without_the_control_a_step_to_two_branches_is_no_effect_of_sharing() -> None:
    """A plain and a Siamese model differ in two things at once."""
    asked = weights(NAMES, [form for form in FORMS if form != {B}])
    # They have the names that they have beside the control.
    assert set(asked) == {f"{S}, with {A}", f"{A}, with {S}"}
    assert asked[f"{S}, with {A}"] == {FORMS[3]: -1, FORMS[4]: 1}


def test_of_three_free_treatments_each_is_asked_beside_all_others() -> None:
    names = ("a", "b", "c")
    every = [frozenset(c for c, has in zip(names, bits, strict=True) if has)
             for bits in product((False, True), repeat=3)]  # fmt: skip
    asked = weights(names, every)
    assert asked["a, without b, with c"] == {frozenset("c"): -1, frozenset("ac"): 1}
    assert sum(name.startswith("interaction of a and b") for name in asked) == 2
    assert asked["a and b, with c"] == {frozenset("c"): -1, frozenset("abc"): 1}
    assert len(asked) == 3 * 4 + 3 * 2 * 2


def test_models_of_older_studies_that_lack_a_factor_are_left_out(
    runs: dict[str, ModelRun],
) -> None:
    older = runs["SiameseMLP"]
    studies = {
        stage: replace(study, attributes=study.attributes | {
            "factors": {"architecture": "MLP", S: True, A: False},
        })
        for stage, study in older.studies.items()
    }  # fmt: skip
    effects = Effects.of(runs | {"SiameseMLP": replace(older, studies=studies)})
    assert effects.unclear == ["SiameseMLP"]
    assert list(effects.contrasts[f"{S}, without {A}"]) == ["CNN"]
    assert Effects.of(runs).unclear == []


def test_times_of_other_processors_give_no_ratio(runs: dict[str, ModelRun]) -> None:
    pair = runs["MLP"], runs["SiameseMLP"]
    (ratio,) = estimated([Contrast("time", pair)], "seconds")
    assert ratio is not None
    elsewhere = {
        name: replace(training, processor="another") for name, training in pair[1].trainings.items()
    }
    moved = Contrast("time", (pair[0], replace(pair[1], trainings=elsewhere)))
    assert estimated([moved], "seconds") == [None]
    assert estimated([moved])[0] is not None


def test_only_fractions_have_a_margin(runs: dict[str, ModelRun]) -> None:
    run = runs["MLP"]
    assert Contrast("fractions", (run, run)).margin == 0.01
    times = replace(run, reruns=[replace(r, value=30 * (r.value or 0)) for r in run.reruns])
    assert Contrast("numbers", (run, times)).margin is None
    assert not Estimate(0.0, -0.001, 0.001).is_equal(None)


def test_effects_are_estimated_in_each_group_and_over_all(runs: dict[str, ModelRun]) -> None:
    effects = Effects.of(runs)
    assert effects.groups == ["MLP", "CNN", POOLED]
    known = effects.estimates("objective")
    name = f"interaction of {S} and {A}"
    assert known[name, "MLP"].value == pytest.approx(0.88 - 0.84 - 0.86 + 0.83)
    assert known[name, "CNN"].value == pytest.approx(0.90 - 0.86 - 0.86 + 0.84)
    assert known[name, POOLED].value == pytest.approx((0.01 + 0.02) / 2)
    odds = effects.estimates("odds")
    expected = math.log(0.83 / 0.17) - math.log(0.80 / 0.20)
    assert math.log(odds[B, "MLP"].value) == pytest.approx(expected, abs=5e-3)


def test_intervals_of_a_table_are_wider_than_that_of_one(runs: dict[str, ModelRun]) -> None:
    effects = Effects.of(runs)
    (alone,) = estimated([effects.contrasts[B]["CNN"]])
    shown = effects.estimates("objective")[B, "CNN"]
    assert alone is not None and alone.low is not None and shown.low is not None
    assert shown.low < alone.low < alone.value == shown.value


def test_the_matrix_has_each_pair_once(runs: dict[str, ModelRun]) -> None:
    pairs = Pairs.of(comparisons(runs), "objective")
    assert len(pairs.contrasts) == 45
    lines = pairs.matrix().splitlines()
    assert len(lines) == 12
    assert lines[2].startswith("| 1 MLP | -0.")
    assert pairs.texts["AuxMLP", "AuxCNN"] == "+0.000"
    assert ("AuxCNN", "AuxMLP") not in pairs.texts


def test_alone_two_like_models_are_equal(runs: dict[str, ModelRun]) -> None:
    """Among 45 pairs of four seeds, they cannot be told apart."""
    pairs = Pairs.of(comparisons({name: runs[name] for name in ("AuxMLP", "AuxCNN")}), "objective")
    assert pairs.texts["AuxMLP", "AuxCNN"] == "+0.000="


def test_models_that_share_no_seed_are_not_compared(runs: dict[str, ModelRun]) -> None:
    assert estimated([Contrast("one", (runs["MLP"], runs["CNN"]))])[0] is not None
    assert estimated([]) == []
