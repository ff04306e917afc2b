"""How fast the dashboard answers on a store with twelve models at full protocol.

    python -m tests.benchmarks.dashboard [--most-list 1.0] [--most-study 2.0]

The results are made up; trials, attributes, notes and trainings are as a run writes them. Each
page is timed over HTTP, the first time and later, and must stay within its limit.
"""

import argparse
import sys
import tempfile
import threading
import time
import urllib.request
import warnings
from pathlib import Path

import optuna

from storage.store import open_store
from studies.dashboard.__main__ import HOST, make
from studies.dashboard.notes import StudyNotes
from tests.benchmarks.made_up import fill


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
            fill(store, "paper", StudyNotes(store, artifacts).complete)
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
