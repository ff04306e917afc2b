"""How much longer a rerun takes beside light work, by the share of the processors that it takes.

    python -m tests.benchmarks.disturbance [--model AuxsiameseCNN] [--epochs 6] [--rounds 5]

Reruns are timed as a worker does, each beside a process that is at work for some of the time. What
bounds a disturbance that still counts (`studies/workers/disturbance.py`) rests on this.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cloudpickle

from digitcmp.data import mnist, pairs
from studies.paper import experiment
from studies.workers.job import ALL_CORES, Job, Reply, TrainingsPlugin, run_job

LOADS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of one core that the process beside takes."""

AT_WORK = """
import time
while True:
    began = time.perf_counter()
    while time.perf_counter() - began < 0.05 * {load}: pass
    time.sleep(0.05 * (1 - {load}))
"""


@contextmanager
def beside(load: float) -> Iterator[None]:
    """Let a process take a share of a core, whose children are none of the trainings'."""
    if not load:
        yield
        return
    # Started by a shell that is gone: a child of ours would count as our own.
    command = ["sh", "-c", 'exec "$0" -c "$1" & echo $!', sys.executable, AT_WORK.format(load=load)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        process = shell.stdout.readline().strip()
        shell.stdout.close()
    try:
        time.sleep(0.5)  # until it has started
        yield
    finally:
        subprocess.run(["kill", "-9", process], check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.disturbance")
    parser.add_argument("--model", default="AuxsiameseCNN")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    chosen = experiment().published[arguments.model].parameters
    training = experiment(epochs=arguments.epochs).training(arguments.model)
    digits = pairs.pool(mnist.load("mnist-sample"))
    TrainingsPlugin(cloudpickle.dumps(({arguments.model: training}, digits)), "rerun").setup(None)

    def rerun() -> Reply:
        return run_job(Job("rerun", arguments.model, chosen, (0,), ALL_CORES, "accuracy"))[0]

    rerun()
    timings: dict[float, list[Reply]] = {load: [] for load in LOADS}
    for _ in range(arguments.rounds):
        for load in LOADS:
            with beside(load):
                timing = rerun()
            timings[load].append(timing)
            share, seconds = timing["disturbance"], timing["train_seconds"]
            print(f"load {load}: share {share}, {seconds:.2f} s", file=sys.stderr, flush=True)
    quiet = statistics.median(timing["train_seconds"] for timing in timings[0.0])
    print(f"{arguments.model}, {quiet:.2f} s quiet\n| load of a core | share of others | seconds |")
    print("|---|---|---|")
    for load, of_load in timings.items():
        shares = sorted(timing["disturbance"] or 0.0 for timing in of_load)
        ratio = statistics.median(timing["train_seconds"] for timing in of_load) / quiet
        print(f"| {load:.0%} | {shares[0]:.3f} to {shares[-1]:.3f} | x {ratio:.2f} |")


if __name__ == "__main__":
    main()
