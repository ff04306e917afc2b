"""What others do to our studies, before a run and while it goes on."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna import Study
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy import text

from storage.errors import StoreError
from storage.queries import best_params, grid_cells, model_results
from storage.reader import open_reader
from storage.store import Store, open_store
from studies.display.errors import UsageError
from studies.experiment.definition import Experiment
from studies.search.chain import run_chains
from studies.search.protocol import check_protocol
from studies.workers.cluster import Cluster
from tests.support.runs import DATA, Runs
from tests.support.standin import StandIn, narrow

SEARCH, RERUN = "toy/MLP/lr-batch", "toy/MLP/rerun"


def toy(standin: StandIn, **options: Any) -> Experiment:
    return narrow(standin.experiment(**{"epochs": 2, "repeats": 2, "reruns": 2, **options}))


def made(store: Store, name: str = SEARCH, **settings: Any) -> Study:
    settings = {"direction": "maximize", **settings}
    return optuna.create_study(study_name=name, storage=store.optuna, **settings)


def with_attributes(**attributes: Any) -> Callable[[Store], None]:
    def make(store: Store) -> None:
        study = made(store)
        for key, value in attributes.items():
            study.set_user_attr(key, value)

    return make


def with_trial(name: str, distribution: Any, **attributes: Any) -> Callable[[Store], None]:
    def make(store: Store) -> None:
        with_attributes(**attributes)(store)
        study = optuna.load_study(study_name=SEARCH, storage=store.optuna)
        trial = create_trial(params={name: 1}, distributions={name: distribution}, value=0.99)
        study.add_trial(trial)

    return make


OURS = {"experiment": "toy", "model": "MLP", "stage": "lr-batch", "protocol": {}}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda store: made(store, direction="minimize"), "is to minimize, not to maximize"),
        (lambda store: made(store, RERUN, direction="minimize"), "is to minimize"),
        (
            lambda store: made(store, direction=None, directions=["maximize", "maximize"]),
            "is to maximize and maximize",
        ),
        (with_attributes(protocol="mine"), 'has the attribute protocol "mine"'),
        (with_attributes(experiment="other"), 'has the attribute experiment "other"'),
        (with_attributes(grid=[1]), r"has the attribute grid \[1\]"),
        (with_trial("x", FloatDistribution(0, 1)), "has trials, but not the attributes of a run"),
        (
            with_trial("learning_rate", IntDistribution(0, 1), **OURS),
            "has trials with another kind of learning_rate",
        ),
    ],
)
def test_a_study_made_by_hand_under_our_name_is_refused(
    make: Callable[[Store], object], reason: str, store: Store, standin: StandIn
) -> None:
    make(store)
    with pytest.raises(UsageError, match=f"is not a study of this program: it {reason}.*delete"):
        check_protocol(store, toy(standin), DATA)


def test_an_empty_study_and_studies_of_other_names_are_left_alone(
    store: Store, standin: StandIn
) -> None:
    made(store)
    for key in ("protocol", "experiment", "stage"):
        made(store, f"toy/{key}", direction="minimize").set_user_attr(key, "mine")
    check_protocol(store, toy(standin), DATA)


class Busybody(Cluster):
    """Does a deed to each study through a connection of its own, after its first training."""

    def __init__(
        self, runs: Runs, experiment: Experiment, deeds: dict[str, Callable[[Study], None]]
    ) -> None:
        super().__init__(runs.address, 2, experiment.models)
        self._url, self.deeds = runs.url, deeds

    def finished(self, seconds: float) -> list[tuple[Any, Any]]:
        done = super().finished(seconds)
        if done and self.deeds:
            storage = optuna.storages.RDBStorage(self._url)
            begun = optuna.get_all_study_names(storage)
            for name in self.deeds.keys() & set(begun):
                self.deeds.pop(name)(optuna.load_study(study_name=name, storage=storage))
            storage.engine.dispose()
        return done


def run(runs: Runs, experiment: Experiment, **deeds: Callable[[Study], None]) -> None:
    """Run the chain of MLP, with a deed by stage."""
    names = {"search": SEARCH, "rerun": RERUN}
    cluster = Busybody(runs, experiment, {names[stage]: deed for stage, deed in deeds.items()})
    with runs.driver(experiment, cluster) as driver:
        try:
            run_chains(driver, experiment, ["MLP"])
        finally:
            assert not cluster.deeds
        assert driver.failed == []


def meddle(study: Study) -> None:
    """Tell all trials that run, enqueue one, and add one."""
    study.enqueue_trial({"learning_rate": 1.0, "batch_size": 7})
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, 0.99)
        mine = (trial.params, trial.distributions)
        study.add_trial(create_trial(params=mine[0], distributions=mine[1], value=0.99))


def delete_search(study: Study) -> None:
    optuna.delete_study(study_name=SEARCH, storage=study._storage)


def results(runs: Runs) -> tuple[Any, ...]:
    engine = open_reader(runs.url)
    cells = grid_cells(engine, "toy", "MLP", "lr-batch")
    found = (
        sorted((str(cell.parameters), cell.state, cell.mean) for cell in cells),
        [(best.parameters, best.mean) for best in best_params(engine)],
        [(row.mean, row.reruns) for row in model_results(engine)],
    )
    engine.dispose()
    return found


@pytest.fixture
def undisturbed(tmp_path: Any, runs: Runs, standin: StandIn) -> Callable[..., Any]:
    """What a run gives that nobody disturbs."""

    def run(**options: Any) -> Any:
        other = replace(runs, url=f"sqlite:///{tmp_path / 'undisturbed.db'}")
        assert other.run(toy(standin, **options), "MLP") == []
        (standin.folder / "diary").unlink()
        return results(other)

    return run


@pytest.mark.parametrize("options", [{}, {"racing": True, "repeats": 4}], ids=["all", "racing"])
def test_a_run_goes_on_whatever_is_done_to_its_trials(
    options: dict[str, Any], runs: Runs, standin: StandIn, undisturbed: Any
) -> None:
    expected = undisturbed(**options)
    run(runs, toy(standin, **options), search=meddle, rerun=meddle)
    assert results(runs) == expected
    assert max(Counter(standin.trained()).values()) == 1
    done = len(standin.trained())
    assert runs.run(toy(standin, **options), "MLP") == []
    assert results(runs) == expected
    assert len(standin.trained()) == done


def test_a_study_deleted_meanwhile_ends_the_run_and_the_next_goes_on(
    runs: Runs, standin: StandIn, undisturbed: Any
) -> None:
    """While it is searched, and while a later stage is."""
    expected = undisturbed()
    for stage in ("search", "rerun"):
        with pytest.raises(StoreError, match=f"^{SEARCH} was deleted while .*: run again to go on"):
            run(runs, toy(standin), **{stage: delete_search})
    assert runs.run(toy(standin), "MLP") == []
    assert results(runs) == expected


def test_a_recorded_training_is_what_its_fingerprint_stands_for(
    runs: Runs, standin: StandIn
) -> None:
    runs.run(toy(standin), "MLP")
    again = replace(toy(standin), name="again")
    for change, undo, difference in (
        ("model = 'CNN'", "model = 'MLP'", "model: stored CNN, asked MLP"),
        ("learning_rate = -learning_rate", "learning_rate = -learning_rate", "learning_rate: st"),
        ("seed = -1 - seed", "seed = -1 - seed", "seed: stored -1, asked 0"),
        ("epochs = 99", "epochs = 2", "epochs: stored 99, asked 2"),
        ("data = 'other'", "data = 'toy'", "data: stored other, asked toy"),
    ):
        update(runs, change)
        with pytest.raises(StoreError, match=rf"the training [0-9a-f]{{12}} in .*\({difference}"):
            runs.run(again, "MLP")
        update(runs, undo)


def update(runs: Runs, change: str) -> None:
    with open_store(runs.url) as store, store.engine.begin() as connection:
        connection.execute(text(f"update training_runs set {change}"))


def test_a_recorded_training_without_the_number_that_ranks_is_done_again(
    runs: Runs, standin: StandIn
) -> None:
    runs.run(toy(standin), "MLP")
    update(runs, "validation_accuracy = null")
    done = len(standin.trained())
    validating = replace(toy(standin, select_on="validation"), name="again")
    assert runs.run(validating, "MLP") == []
    assert len(standin.trained()) == done + 8 + 2
    reader = open_reader(runs.url)
    with reader.connect() as connection:
        gaps = "select count(*) from training_runs where validation_accuracy is null"
        assert connection.scalar(text(gaps)) == 2, "the reruns of before"
    assert runs.run(replace(validating, name="more"), "MLP") == []
    assert len(standin.trained()) == done + 8 + 2 + 2
