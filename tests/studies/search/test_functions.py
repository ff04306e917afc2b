"""Functions of users, from a file to the store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from sqlalchemy import text

from storage.queries import best_params, grid_cells, model_results
from storage.reader import open_reader
from storage.store import open_store
from storage.trainings import training_runs
from studies import Experiment, Stage, run
from studies.experiment.file import load
from studies.experiment.options import ExperimentFunction
from tests.support.runs import Runs
from tests.support.standin import StandIn, narrow
from tests.support.terminal import pickled


def tree(parameters: dict[str, Any], seed: int) -> dict[str, Any]:
    """Depth and leaves are good; test data like gini, and validation data entropy."""
    fit = parameters["depth"] / 10 + parameters.get("leaves", 0) / 100 + seed / 1000
    return {
        "accuracy": fit + 0.05 * (parameters["criterion"] == "gini"),
        "validation": fit + 0.05 * (parameters["criterion"] == "entropy"),
        "nodes": 2 ** parameters["depth"],
        "loss_curve": [0.7, 0.7 - fit],
    }


WORDS = Experiment(
    "words",
    {"tree": tree},
    [
        Stage("shape", criterion=["gini", "entropy", "log_loss"], depth=[2, 4]),
        Stage("size", leaves=[1, 2]),
    ],
    repeats=2,
    reruns=2,
    select_on="validation",
)
WINNER = {"criterion": "entropy", "depth": 4, "leaves": 2}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, workers: str) -> Runs:
    """The chain of an experiment of which one parameter is a word."""
    runs = Runs(f"sqlite:///{tmp_path_factory.mktemp('words') / 'studies.db'}", workers)
    assert runs.run(WORDS, "tree") == []
    return runs


def test_words_are_parameters_like_numbers(words: Runs) -> None:
    with open_store(words.url) as store:
        studies = [
            optuna.load_study(study_name=f"words/tree/{name}", storage=store.optuna)
            for name in ("shape", "size", "rerun")
        ]
    kinds = [study.trials[0].distributions["criterion"] for study in studies]
    assert kinds[0] == CategoricalDistribution(("gini", "entropy", "log_loss"))
    assert kinds[1:] == [CategoricalDistribution(("entropy",))] * 2
    assert studies[1].user_attrs["grid"] == {
        "criterion": ["entropy"], "depth": [4], "leaves": [1, 2],
    }  # fmt: skip
    with open_reader(words.url).connect() as connection:
        for view in ("best_params", "model_results"):
            row = connection.execute(text(f"select criterion, depth, leaves from {view}")).one()
            assert tuple(row) == tuple(WINNER.values())
        cells = connection.execute(
            text("select criterion, depth from grid_cells where stage = 'shape' order by 1, 2")
        ).all()
    assert [tuple(row) for row in cells] == [
        (word, depth) for word in ("entropy", "gini", "log_loss") for depth in (2, 4)
    ]


def test_cells_compete_by_validation_values_and_reruns_show_the_objective(words: Runs) -> None:
    engine = open_reader(words.url)
    (best,), (result,) = best_params(engine), model_results(engine)
    assert best.parameters == result.parameters == WINNER
    assert best.mean == pytest.approx(0.4 + 0.02 + 0.0005 + 0.05)
    assert result.mean == pytest.approx(0.4 + 0.02 + 0.0105)


def test_all_that_a_function_returns_is_kept(words: Runs) -> None:
    trainings = training_runs(open_reader(words.url))
    assert len(trainings) == 6 * 2 + 2 * 2 + 2
    for training in trainings:
        returned = tree(dict(training.parameters), training.seed)
        assert training.numbers == {
            "accuracy": returned["accuracy"],
            "validation_accuracy": returned["validation"],
            "nodes": returned["nodes"],
        }
        assert training.loss_curve == tuple(returned["loss_curve"])
        assert training.train_seconds > 0 and training.cpu_seconds >= 0
        assert (training.status, dict(training.settings)) == ("ok", {})
    with open_store(words.url) as store:
        reruns = optuna.load_study(study_name="words/tree/rerun", storage=store.optuna).trials
    for trial in reruns:
        curve = tree(WINNER, trial.params["seed"])["loss_curve"]
        assert list(trial.intermediate_values.values()) == pytest.approx(curve)


def loss(parameters: dict[str, Any], seed: int) -> dict[str, float]:
    """The narrow net is better in the mean, the wide one steadier."""
    level, spread = {2: (1.0, 0.4), 5: (1.1, 0.0), 8: (1.5, 0.1)}[parameters["width"]]
    return {"loss": level + (spread if seed % 2 else -spread)}


@pytest.mark.parametrize(("rank_by", "width", "mean"), [("mean", 2, 1.0), ("lower-bound", 5, 1.1)])
def test_the_least_loss_wins(rank_by: str, width: int, mean: float, runs: Runs) -> None:
    experiment = Experiment(
        "least", {"net": loss}, [Stage("size", width=[8, 5, 2])], repeats=2, reruns=2,
        objective="loss", direction="minimize", rank_by=rank_by,
    )  # fmt: skip
    assert runs.run(experiment, "net") == []
    engine = open_reader(runs.url)
    (best,), (result,) = best_params(engine), model_results(engine)
    assert best.parameters == {"width": width}
    assert best.objective == "loss"
    assert best.mean == pytest.approx(mean)
    assert result.mean == pytest.approx(mean)
    assert f"best {mean:.4f}" in runs.said.getvalue()


def noisy(parameters: dict[str, Any], seed: int) -> dict[str, float]:
    return {"loss": parameters["width"] + seed * 7919 % 10 / 50}


def test_the_greater_losses_are_given_up(runs: Runs) -> None:
    experiment = Experiment(
        "race", {"net": noisy}, [Stage("size", width=[3, 1, 2])], repeats=10, reruns=1,
        objective="loss", direction="minimize", racing=True,
    )  # fmt: skip
    assert runs.run(experiment, "net") == []
    cells = grid_cells(open_reader(runs.url), "race", "net", "size")
    assert {cell.parameters["width"]: cell.state for cell in cells} == {
        1: "COMPLETE", 2: "PRUNED", 3: "PRUNED",
    }  # fmt: skip


Typed = Callable[..., tuple[object, str, str]]


@pytest.fixture
def typed(
    tmp_path: Path,
    workers: str,
    no_pictures: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:
    """Write a file that defines an experiment, and run it: exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(source: str, *arguments: str) -> tuple[object, str, str]:
        Path("mine.py").write_text(source)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run.main(["tree", "--define", "mine.py", "--cluster", workers, *arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return call


FAULTY = """
from studies import Experiment, Stage

def train(parameters, seed):
    match parameters["how"]:
        case "raising":
            raise RuntimeError("no luck today\\nand more that nobody wants to know")
        case "nothing":
            return None
        case "other":
            return {"acuracy": 0.5}
        case "word":
            return {"accuracy": "high"}
        case "lost":
            return {"accuracy": float("nan")}
    return {"accuracy": 0.5}

WAYS = ["raising", "nothing", "other", "word", "lost", "fine"]
experiment = Experiment("faulty", {"tree": train}, [Stage("ways", how=WAYS)], repeats=1, reruns=1)
"""


def test_a_function_that_fails_fails_its_cell_alone(typed: Typed, url: str) -> None:
    code, _, said = typed(FAULTY)
    assert code == 1
    *cells, last = said.splitlines()
    # As they come back from the workers.
    assert sorted(cells) == [
        "failed: faulty/tree/ways, how nothing: ValueError: train returned NoneType, not a mapping "
        "with 'accuracy'",
        "failed: faulty/tree/ways, how other: ValueError: train returned no 'accuracy', but "
        "'acuracy'",
        "failed: faulty/tree/ways, how raising: RuntimeError: no luck today",
        "failed: faulty/tree/ways, how word: ValueError: train returned 'high' for 'accuracy', "
        "which is no number",
    ]
    assert last == "failed: tree stops at ways: it has no certain winner"
    stored = grid_cells(open_reader(url), "faulty", "tree", "ways")
    assert {cell.parameters["how"]: cell.state for cell in stored} == {
        "raising": "FAIL", "nothing": "FAIL", "other": "FAIL", "word": "FAIL",
        "lost": "DIVERGED", "fine": "COMPLETE",
    }  # fmt: skip
    # What diverged is decided: it has lost.
    code, _, said = typed(FAULTY, "--grid", "how=lost,fine", "--experiment", "less")
    assert (code, said) == (0, "")
    (best,) = best_params(open_reader(url), "less")
    assert best.parameters == {"how": "fine"}


GROWING = """
from studies import Experiment, Stage

STEP = 0.1

def train(parameters, seed):
    return {"accuracy": STEP * parameters["depth"] + seed / 1000}

experiment = Experiment(
    "growing", {"tree": train}, [Stage("size", depth=[2, 4])], repeats=2, reruns=1
)
"""


def test_a_function_that_changed_is_trained_anew_under_another_name(typed: Typed, url: str) -> None:
    assert typed(GROWING)[0] == 0
    code, said, _ = typed(GROWING.replace("STEP = 0.1", "# Nothing new.\nSTEP  =  0.1"))
    assert code == 0
    assert "5 trainings. All of them are recorded: nothing is left to train." in said
    changed = GROWING.replace("0.1", "0.125")
    code, out, said = typed(changed)
    assert (code, out) == (2, "")
    assert said == (
        "error: growing/tree/size follows another protocol (its training function has changed): "
        "give this one a name of its own with --experiment, or go back to what is stored\n"
    )
    before = {training.fingerprint for training in training_runs(open_reader(url))}
    code, said, _ = typed(changed, "--experiment", "grown")
    assert code == 0
    assert "5 trainings. 5 are left to run" in said
    engine = open_reader(url)
    assert len({training.fingerprint for training in training_runs(engine)} - before) == 5
    means = {result.experiment: result.mean for result in model_results(engine)}
    assert means == {"growing": pytest.approx(0.41), "grown": pytest.approx(0.51)}


UNTOLD = """
from studies import Experiment, Stage

def train(parameters, seed, data):
    return {"accuracy": data()}

experiment = Experiment(
    "untold", {"tree": train}, [Stage("size", depth=[2])], data=lambda: lambda: 1.0
)
"""


def test_data_that_cannot_be_told_from_others_are_refused(typed: Typed, tmp_path: Path) -> None:
    code, out, said = typed(UNTOLD)
    assert (code, out) == (2, "")
    assert said.startswith("error: the data of untold cannot be told from other data (")
    assert "an attribute sha256" in said and len(said.splitlines()) == 1
    assert not (tmp_path / "studies.db").exists()


DECAY = """
from studies import Stage
from tests.support.standin_experiment import experiment as paper

experiment = paper.with_stage(Stage("decay", weight_decay=[0.0, 1e-4, 1e-3]))
"""


def test_another_stage_goes_on_from_what_the_papers_experiment_trained(
    runs: Runs, standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of its trainings is repeated, nor that of the winner without a decay."""
    small = {"epochs": 2, "repeats": 2, "reruns": 3}
    assert runs.run(narrow(standin.experiment(**small)), "AuxMLP") == []
    before = len(standin.trained())
    monkeypatch.setenv("STANDIN", str(pickled(standin)))
    (tmp_path / "decay.py").write_text(DECAY)
    decay = load(str(tmp_path / "decay.py"))
    assert isinstance(decay, ExperimentFunction)
    assert runs.run(narrow(decay(**small), name="decay"), "AuxMLP") == []
    assert len(standin.trained()) - before == 2 * 2 + 3
    trained = training_runs(open_reader(runs.url))
    # Where nothing decays, a search records what the paper's experiment would; a rerun is its own.
    assert sum("weight_decay" in training.parameters for training in trained) == 2 * 2 + 3
    cells = grid_cells(open_reader(runs.url), "decay", "AuxMLP", "decay")
    assert sorted(cell.parameters["weight_decay"] for cell in cells) == [0.0, 1e-4, 1e-3]
    assert {cell.state for cell in cells} == {"COMPLETE"}
