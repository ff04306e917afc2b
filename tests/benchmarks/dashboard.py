"""How fast the dashboard answers on a store with twelve models at full protocol.

    python -m tests.benchmarks.dashboard [--most-list 1.0] [--most-study 2.0]

The results are made up; trials, attributes, notes and trainings are as a run writes them. Each
page is timed over HTTP, the first time and later, and must stay within its limit.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
import urllib.request
import warnings
from dataclasses import asdict
from pathlib import Path

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from digitcmp.training import Hyperparameters
from storage.schema import TrainingRun, record
from storage.store import Store, open_store
from studies.board import Board
from studies.dashboard import HOST, make
from studies.grid import Grid
from studies.paper import PAPER
from studies.protocol import Protocol
from studies.records import fingerprints
from studies.stages import Stage, chain, make_stage


def fill(store: Store, board: Board) -> None:
    """Write the studies of all models."""
    for model, published in PAPER.items():
        won = None
        for name in chain(model, Protocol()):
            stage = make_stage("paper", model, name, Protocol(), won)
            study = optuna.create_study(
                study_name=stage.study_name, storage=store.optuna, direction="maximize"
            )
            labels = {"experiment": "paper", "model": model, "stage": name, "parameters": 72268}
            for key, value in (labels | {"protocol": stage.protocol.stored("0" * 64)}).items():
                study.set_user_attr(key, value)
            study.add_trials(
                [trial(store, stage, cell) for cell in Grid(stage.search_space).cells()]
            )
            board.complete(stage, study)
            won = Hyperparameters(published.learning_rate, published.batch_size, published.alpha)


def trial(store: Store, stage: Stage, parameters: dict[str, float]) -> FrozenTrial:
    """A finished trial, its trainings recorded."""
    cell = stage.cell(parameters)
    by_seed = fingerprints(stage, cell, "0" * 64)
    accuracies = [random.gauss(0.87, 0.01) for _ in cell.seeds]
    curve = tuple(3.5 / (1 + epoch) for epoch in range(25))
    record(
        store.engine,
        [
            TrainingRun(
                by_seed[seed], stage.model, **asdict(cell.hyperparameters), seed=seed, epochs=25,
                data="made up", status="ok", accuracy=accuracy, validation_accuracy=accuracy,
                train_seconds=2.0, cpu_seconds=2.0, threads=1, loss_curve=curve, host="here",
                started_at="2026-01-01T00:00:00+00:00",
            )
            for seed, accuracy in zip(cell.seeds, accuracies, strict=True)
        ],
    )  # fmt: skip
    mean = sum(accuracies) / len(accuracies)
    rerun = {"fingerprint": by_seed[cell.seeds[0]], "train_seconds": 2.0}
    return create_trial(
        params=parameters,
        distributions={
            name: IntDistribution(1, 128) if isinstance(value, int) else FloatDistribution(0, 1)
            for name, value in parameters.items()
        },
        value=mean,
        intermediate_values=dict(enumerate(curve if stage.is_rerun else accuracies)),
        user_attrs=rerun if stage.is_rerun else {"score": mean},
    )


def seconds(url: str) -> list[float]:
    """How long a request takes: the first time, and four times later."""
    measured = []
    for _ in range(5):
        started = time.perf_counter()
        urllib.request.urlopen(url).read()
        measured.append(time.perf_counter() - started)
        # Longer than the dashboard remembers trials.
        time.sleep(2.1)
    return measured


def main() -> None:
    """Fill a store, and time its pages."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dashboard")
    parser.add_argument("--most-list", type=float, default=1.0, help="seconds")
    parser.add_argument("--most-study", type=float, default=2.0, help="seconds")
    limits = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        url, artifacts = f"sqlite:///{folder}/studies.db", Path(folder, "studies-artifacts")
        with open_store(url) as store:
            started = time.perf_counter()
            fill(store, Board(store, artifacts))
            print(f"filled in {time.perf_counter() - started:.0f} s")
        slow = False
        with make(url, 0, artifacts) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            api = f"http://{HOST}:{server.server_port}/api/studies"
            pages = [("study list", api, limits.most_list)]
            pages += [(f"study {each}", f"{api}/{each}", limits.most_study) for each in (1, 29, 30)]
            for name, page, most in pages:
                times = seconds(page)
                slow |= max(times) > most
                print(f"{name:11} first {times[0]:.3f} s, later {max(times[1:]):.3f} s", flush=True)
            server.shutdown()
    sys.exit(slow)


if __name__ == "__main__":
    main()
