"""How long a step of a rerun takes, whose threads wait for each other, quiet and beside others.

    python -m tests.benchmarks.waiting [--models AuxsiameseMLP ...] [--modes ...] [--rounds 3]

Prints milliseconds per step on all cores: with the machine quiet, with a process that burns a core,
which the system moves as it likes, and with one that stays on the first core. Modes are trained in
turn, each in a process of its own; medians over the rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from digitcmp.data import mnist, pairs
from studies.paper import experiment
from studies.workers.disturbance import Reading, read, share_of_others
from studies.workers.job import cores
from studies.workers.pinning import pinned_threads

EPOCHS = {"AuxsiameseMLP": 4, "AuxsiameseCNN": 4, "AuxsiameseResNet": 1}
"""Models, one per family, with the epochs that they train at a time."""

MODES: dict[str, tuple[dict[str, str], bool]] = {
    "spin 30000": ({"GOMP_SPINCOUNT": "30000"}, False),
    "spin 1000": ({"GOMP_SPINCOUNT": "1000"}, False),
    "default": ({}, False),
    "passive": ({"OMP_WAIT_POLICY": "passive"}, False),
    "spin 30000, pinned": ({"GOMP_SPINCOUNT": "30000"}, True),
    "default, pinned": ({}, True),
}
"""Environments of a process that trains, each with whether its threads are pinned."""

BURNERS = {"quiet": None, "one core busy": {*range(cores())}, "first core busy": {0}}
"""Conditions, with the cores that a process which burns one may use."""


AT_REST = 0.02
"""Share of the processors that other programs may take of a measurement."""


class Trainer:
    """A process that trains in one mode when asked."""

    def __init__(self, environment: dict[str, str], is_pinned: bool) -> None:
        command = [sys.executable, "-m", __spec__.name, "--trainer", "--pinned"][: 4 + is_pinned]
        unset = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=inherited | environment,
        )

    def milliseconds(self, model: str) -> float:
        """Return the milliseconds of a step of `model`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(model, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def train_when_asked(is_pinned: bool) -> None:
    """Read models from standard input; print the milliseconds of a step of each."""
    import torch

    digits = pairs.pool(mnist.load("mnist-sample"))
    torch.set_num_threads(cores())
    for line in sys.stdin:
        model = line.strip()
        chosen = experiment().published[model].parameters
        training = experiment(epochs=EPOCHS[model]).training(model)
        with pinned_threads(cores() if is_pinned else 1):
            (result,) = training.train(chosen, (0,), digits)
        steps = EPOCHS[model] * -(-1000 // int(chosen["batch_size"]))
        print(1000 * result["train_seconds"] / steps, flush=True)


@contextmanager
def burner(allowed: set[int] | None) -> Iterator[None]:
    """Burn a core of those allowed; None: burn nothing."""
    if allowed is None:
        yield
        return
    code = f"import os; os.sched_setaffinity(0, {allowed})\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def undisturbed(trainer: Trainer, model: str) -> float:
    """Return the milliseconds of a step while only processes of this benchmark were at work."""
    while True:
        before = read()
        time.sleep(0.6)
        if _taken_since(before) <= AT_REST:
            before = read()
            milliseconds = trainer.milliseconds(model)
            if _taken_since(before) <= AT_REST:
                return milliseconds


def _taken_since(before: Reading | None) -> float:
    """Return the share of the processors that others have taken."""
    return share_of_others(before, read()) or 0.0


def measure(
    models: Sequence[str], modes: Sequence[str], conditions: Sequence[str], rounds: int
) -> None:
    """Print a line for each mode and model."""
    trainers = {mode: Trainer(*MODES[mode]) for mode in modes}
    steps: dict[tuple[str, str, str], list[float]] = {}
    for model in models:
        for trainer in trainers.values():
            trainer.milliseconds(model)  # warms up
    for _ in range(rounds):
        for condition in conditions:
            with burner(BURNERS[condition]):
                for model in models:
                    for mode, trainer in trainers.items():
                        measured = steps.setdefault((model, mode, condition), [])
                        measured.append(undisturbed(trainer, model))
                        print(condition, model, mode, measured[-1], file=sys.stderr, flush=True)
    print(f"| model | mode | {' | '.join(conditions)} |\n|---|---|{'---|' * len(conditions)}")
    for model in models:
        for mode in modes:
            medians = [statistics.median(steps[model, mode, condition]) for condition in conditions]
            print(f"| {model} | {mode} | {' | '.join(f'{ms:.3g}' for ms in medians)} |")
    for trainer in trainers.values():
        trainer.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.waiting")
    parser.add_argument("--models", nargs="+", choices=list(EPOCHS), default=list(EPOCHS))
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--conditions", nargs="+", choices=list(BURNERS), default=list(BURNERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trainer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--pinned", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trainer:
        train_when_asked(arguments.pinned)
    else:
        measure(arguments.models, arguments.modes, arguments.conditions, arguments.rounds)


if __name__ == "__main__":
    main()
