"""How fast `python -m studies.best` answers on a store with a hundred thousand trainings.

    python -m tests.benchmarks.best [--experiments 33] [--most 1.0]

The results are made up, 3,120 trainings an experiment. The command is timed as a whole, five times,
and the median must stay within the limit.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

import optuna

from storage.store import open_store
from storage.trainings import training_runs
from tests.benchmarks.made_up import fill, multiply


def main() -> int:
    """Fill a store, and time the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.best")
    parser.add_argument("--experiments", type=int, default=33)
    parser.add_argument("--most", type=float, default=1.0, help="seconds")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/studies.db"
        with open_store(url) as store:
            fill(store, "made-up", lambda stage, study: None)
            multiply(store, "made-up", arguments.experiments - 1)
            count = len(training_runs(store.engine))
        times = []
        for _ in range(5):
            started = time.perf_counter()
            command = [sys.executable, "-m", "studies.best", "--storage", url]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - started)
    median = statistics.median(times)
    print(f"{count:,} trainings: {median:.2f} s, at most {max(times):.2f} s")
    return median > arguments.most


if __name__ == "__main__":
    sys.exit(main())
