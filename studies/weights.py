"""Which rerun's weights people get, and the file that holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from storage.artifacts import artifact_names, weights_id
from storage.errors import place, unwritable
from storage.files import write_whole
from storage.queries import Rerun, reruns, studies
from storage.reader import open_reader
from storage.trainings import TrainingRun, recorded
from storage.urls import DEFAULT_STORAGE, artifact_folder
from studies.display.errors import UsageError
from studies.display.table import require_begun
from studies.display.words import listed, number_text


@dataclass(frozen=True)
class StoredWeights:
    """The weights of a rerun."""

    path: Path
    """A safetensors file, whose metadata says where they come from."""
    run: TrainingRun
    experiment: str
    definition: str | None
    """The name that the experiment was defined under."""
    objective: str

    def __str__(self) -> str:
        """Say whose they are: `paper/MLP, seed 12, accuracy 0.8210`."""
        value = number_text(self.run.numbers[self.objective], 4)
        return f"{self.experiment}/{self.run.model}, seed {self.run.seed}, {self.objective} {value}"


def stored_weights(
    model: str,
    storage: str = DEFAULT_STORAGE,
    experiment: str | None = None,
    seed: int | None = None,
    artifact_dir: Path | None = None,
) -> StoredWeights:
    """Return the weights of a model's best rerun, the first one of equals, or of the chosen seed.

    `artifact_dir` is the folder where they are, if not the one beside the store. Raises UsageError
    where there are none, BadStoreURL, and StoreError where the store cannot be read.
    """
    engine = open_reader(storage)
    try:
        known = studies(engine)
        require_begun(known, experiment, [model])
        done = reruns(engine, experiment, model)
        names = list(dict.fromkeys(rerun.experiment for rerun in done))
        if not names:
            where = place(engine.url)
            raise UsageError(f"{where} has no reruns of {model} yet: a run ends in them")
        if len(names) > 1:
            raise UsageError(f"{model} has reruns in {listed(names)}: name one experiment")
        of_reruns = next(
            study
            for study in known
            if (study.experiment, study.model, study.stage) == (names[0], model, "rerun")
        )
        rerun = _chosen(model, done, seed, of_reruns.sign)
        run = recorded(engine, [rerun.fingerprint or ""]).get(rerun.fingerprint or "")
        path = _file(engine, artifact_dir or artifact_folder(storage), rerun, run)
    finally:
        engine.dispose()
    assert run is not None
    definition = of_reruns.attributes.get("definition")
    return StoredWeights(path, run, rerun.experiment, definition, of_reruns.objective)


def save_weights(path: Path, stored: StoredWeights) -> None:
    """Write weights to a file, whole or not at all, and say whose they are. Raises `StoreError`."""
    try:
        content = stored.path.read_bytes()
    except OSError as error:
        raise unwritable(path, error) from error
    write_whole(path, content)
    print(f"{path} has the weights of {stored}")


def _chosen(model: str, done: Sequence[Rerun], seed: int | None, sign: int) -> Rerun:
    if seed is None:
        values = [(sign * rerun.value, rerun) for rerun in done if rerun.value is not None]
        if not values:
            raise UsageError(f"all reruns of {model} diverged: there are no weights to have")
        # They are in the order of their seeds, and the first of equals is taken.
        return max(values, key=lambda known: known[0])[1]
    for rerun in done:
        if rerun.seed == seed:
            if rerun.value is None:
                raise UsageError(f"the rerun of {model} with seed {seed} diverged: choose another")
            return rerun
    seeds = listed([str(rerun.seed) for rerun in done])
    raise UsageError(f"no rerun of {model} has seed {seed}: there are {seeds}")


def _file(engine: Engine, folder: Path, rerun: Rerun, run: TrainingRun | None) -> Path:
    whose = f"{rerun.experiment}/{rerun.model}, seed {rerun.seed}"
    if run is not None:
        path = folder / weights_id(run)
        if path.is_file():
            return path
        with engine.connect() as connection:
            if path.name in artifact_names(connection):
                raise UsageError(
                    f"the weights of {whose} are not in {folder}: name the folder that has the "
                    f"file {path.name}"
                )
    raise UsageError(
        f"no weights of {whose} are kept: an older version trained it, its training gave none, or "
        "they could not be written; choose another seed, or run as another experiment"
    )
