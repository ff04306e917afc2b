"""Real reruns of the paper's models, and the networks that people get of them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from typer.testing import CliRunner

import studies
from digitcmp.data import mnist, pairs
from storage.queries import reruns
from storage.reader import open_reader
from studies.best import app
from studies.display.errors import UsageError

MODELS = ["MLP", "SiameseCNN"]
SHORT = {"epochs": 1, "reruns": 1, "search": "published"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A folder with a store of short reruns."""
    folder = tmp_path_factory.mktemp("reruns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITCMP_CACHE", str(cache))
        studies.run_models(MODELS, f"sqlite:///{folder / 'studies.db'}", workers=1, **SHORT)
    return folder


@pytest.fixture
def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'studies.db'}"


@pytest.fixture(scope="module")
def drawn(cache: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The test pairs of seed 10 as images of 28x28 pixels, and what is right of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITCMP_CACHE", str(cache))
        test = mnist.load("mnist-sample").test
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(10).spawn(3)[2]))
    places = pairs.draw(len(test.labels), 1000, generator)
    labels = test.labels[places]
    return test.pixels[places], labels[:, 0] <= labels[:, 1]


@pytest.mark.parametrize("model", MODELS)
def test_a_network_is_right_as_often_as_the_store_says(
    model: str, url: str, drawn: tuple[NDArray[np.uint8], NDArray[np.bool_]]
) -> None:
    images, right = drawn
    engine = open_reader(url)
    (rerun,) = reruns(engine, model=model)
    engine.dispose()
    answer = studies.load(model, url).compare(images[:, 0], images[:, 1])
    assert (answer.is_ordered == right).mean() == rerun.value
    small = images.reshape(-1, 2, 14, 2, 14, 2).mean(axis=(3, 5)) / 255
    again = studies.load(model, url, seed=10).compare(small[:, 0], small[:, 1])
    assert np.array_equal(again.probability, answer.probability)


def test_a_file_can_be_saved(url: str, tmp_path: Path) -> None:
    file = tmp_path / "mlp.safetensors"
    ended = CliRunner().invoke(app, ["MLP", "--save", str(file), "--storage", url])
    assert ended.exit_code == 0, ended.output
    with safe_open(file, "numpy") as opened:
        known = opened.metadata()
        assert "trunk.1.weight" in opened.keys()  # noqa: SIM118
    value = float(known["accuracy"])
    assert ended.output == (
        f"{file} has the weights of paper+epochs=1,reruns=1,search=published/MLP, seed 10, "
        f"accuracy {value:.4f}\n"
    )
    assert (known["model"], known["seed"]) == ("MLP", "10")
    assert known["experiment"] == "paper+epochs=1,reruns=1,search=published"
    assert known["parameters"] == '{"learning_rate": 0.0005, "batch_size": 8}'


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["MLP", "--save", "missing/file"], 4, "missing/file cannot be written: its folder takes"),
        (["MLP", "--save", "."], 4, "cannot be written"),
        (["--save", "file"], 2, "--save writes the weights of one model: name it"),
        (["MLP", "CNN", "--save", "file"], 2, "unexpected extra argument"),
        (["SiamseMLP", "--save", "file"], 2, "did you mean SiameseCNN?"),
        (["MLP", "--save", "file", "--seed", "9"], 2, "no rerun of MLP has seed 9: there are 10"),
        (["MLP", "--save", "file", "--artifact-dir", "x"], 2, "are not in x: name the folder"),
        (["MLP", "--seed", "9"], 2, "choose what --save FILE writes"),
    ],
)
def test_what_cannot_be_saved_is_said(
    words: list[str], code: int, said: str, url: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, [*words, "--storage", url])
    assert ended.exit_code == code, ended.output
    assert said in ended.output
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_said(folder: Path, tmp_path: Path, url: str) -> None:
    for file in (folder / "studies-artifacts").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:1000])
    with pytest.raises(Exception, match="cannot be read") as raised:
        studies.load("MLP", url, artifact_dir=tmp_path)
    assert raised.type.__name__ == "StoreError"
    with pytest.raises(UsageError, match="no model is called 'LeNet'"):
        studies.load("LeNet", url)
