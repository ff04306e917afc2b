"""How fast trainings are, against a plain loop and against the machine's limit.

    python -m tests.benchmarks.throughput [--models MLP ...] [--epochs N] [--quick]

Both sides train at Table I's settings on the same pairs, in turn, in one run: the ratios are what
counts, as the speed of a machine drifts. Exits 1 where the accuracies
disagree, or a ratio is below the floor asked for.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from digitcmp.data import mnist, pairs
from digitcmp.models import MODELS, build
from digitcmp.training import Hyperparameters, initial_network
from studies.experiment.training import Parameters, Training
from studies.paper import experiment
from studies.workers.cluster import Cluster
from studies.workers.job import ALL_CORES, Job, Reply, cores, run_job
from tests.benchmarks import plain_loop

QUICK = {"AuxsiameseMLP": 8, "AuxsiameseCNN": 6, "AuxsiameseResNet": 2}
"""Models of the quick run, one per family, with the epochs that fit into a minute."""

WARM_UP = "one epoch of {}"

PROMISED = {"MLP": (20, 3), "CNN": (4, 2.5), "ResNet": (2, 1.5)}
"""How many times faster than the plain loop a search and a rerun are."""


@dataclass
class Measured:
    """Seconds per training, run by run, and accuracies."""

    plain: list[float] = field(default_factory=list)
    search: list[float] = field(default_factory=list)
    rerun: list[float] = field(default_factory=list)
    plain_accuracies: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    limit: float = 0.0

    def ratio(self, ours: list[float]) -> float:
        """How many times faster we are: the median over the interleaved runs."""
        return statistics.median(a / b for a, b in zip(self.plain, ours, strict=True))

    @property
    def agree(self) -> bool:
        """Whether the mean accuracies differ by less than four standard errors."""
        both = self.plain_accuracies, self.accuracies
        # One run says little of the spread: the paper's is about 0.01 everywhere.
        spread = max(0.01, *(statistics.stdev(each) for each in both if len(each) > 1))
        error = spread * sum(1 / len(each) for each in both) ** 0.5
        return abs(statistics.fmean(both[0]) - statistics.fmean(both[1])) < 4 * error


class Bench:
    """One cluster and one data set for all measurements."""

    def __init__(self, cluster: Cluster, digits: pairs.PooledDigits) -> None:
        self.cluster, self.digits = cluster, digits
        self.seeds = count()

    def measure(self, model: str, epochs: int, rounds: int) -> Measured:
        """Measure one model in interleaved rounds."""
        measured = Measured()
        chosen = experiment().published[model].parameters
        self._ours(WARM_UP.format(model), chosen, 2 * cores(), 1, 1)
        for _ in range(rounds):
            seed = next(self.seeds)
            sets = pairs.pair_sets(self.digits, seed)
            started = time.perf_counter()
            accuracy = plain_loop.train(model, at_table_1(model), sets, seed, epochs)
            measured.plain.append(time.perf_counter() - started)
            measured.plain_accuracies.append(accuracy)
            size = experiment().training(model).seeds_at_once(chosen)
            jobs = (3 if MODELS[model].architecture == "MLP" else 1) * cores()
            seconds, accuracies = self._ours(model, chosen, jobs, size, 1)
            measured.search.append(seconds)
            measured.accuracies += accuracies
            seconds, _ = self._ours(model, chosen, 1, 1, ALL_CORES)
            measured.rerun.append(seconds)
        return measured

    def _ours(
        self, model: str, chosen: Parameters, jobs: int, size: int, threads: int
    ) -> tuple[float, list[float]]:
        """Wall seconds per training of some jobs at a time, and the accuracies."""
        work = [
            Job(self.cluster.key, model, chosen, self._fresh(size), threads, "accuracy")
            for _ in range(jobs)
        ]
        (host,) = self.cluster.hosts()
        started = time.perf_counter()
        futures = [self.cluster.submit(host.name, run_job, job) for job in work]
        reports: list[list[Reply]] = [future.result() for future in futures]
        seconds = (time.perf_counter() - started) / (jobs * size)
        self.cluster.finished(0)
        return seconds, [report["numbers"]["accuracy"] for job in reports for report in job]

    def _fresh(self, size: int) -> tuple[int, ...]:
        return tuple(next(self.seeds) for _ in range(size))


def at_table_1(model: str) -> Hyperparameters:
    """Return the paper's winner."""
    chosen = experiment().published[model].parameters
    return Hyperparameters(chosen["learning_rate"], chosen["batch_size"], chosen.get("alpha"))


def flops(model: str, epochs: int) -> int:
    """Floating-point operations of one training of the plain loop: counted for a batch of its size.

    By filtering, ours takes fewer multiplications for most convolutions: a quarter in a CNN, three
    sevenths in a ResNet.
    """
    chosen = at_table_1(model)
    size = chosen.batch_size
    step = plain_loop.step_of(initial_network(partial(build, model), 0), chosen.alpha)
    with FlopCounterMode(display=False) as counter:
        step(
            torch.randn(size, 2, 14, 14),
            torch.zeros(size, 2, dtype=torch.long),
            torch.ones(size, 2),
        )
    return epochs * 1000 * counter.get_total_flops() // size


def matrix_rate() -> float:
    """Floating-point operations per second of matrix products, on all cores.

    PyTorch has two libraries for them; which one is faster depends on the processor.
    """
    left, right = torch.randn(2048, 2048), torch.randn(2048, 2048)
    products: list[Callable[[], object]] = [
        lambda: torch.mm(left, right),
        lambda: torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], ""),
    ]

    def seconds(product: Callable[[], object]) -> float:
        started = time.perf_counter()
        product()
        return time.perf_counter() - started

    return 2 * 2048**3 / min(seconds(product) for product in products for _ in range(10))


def table(measured: dict[str, Measured]) -> Table:
    """Seconds and ratios of all models."""
    result = Table(box=None, pad_edge=False)
    result.add_column("model", no_wrap=True)
    for title in (
        "plain s", "search s", "rerun s", "limit s", "plain/search", "plain/rerun",
        "search/limit", "plain accuracy", "accuracy",
    ):  # fmt: skip
        result.add_column(title, justify="right", no_wrap=True)
    for model, each in measured.items():
        search = statistics.median(each.search)
        result.add_row(
            model,
            f"{statistics.median(each.plain):.2f}",
            f"{search:.3f}",
            f"{statistics.median(each.rerun):.2f}",
            f"{each.limit:.3f}",
            f"{each.ratio(each.search):.1f}",
            f"{each.ratio(each.rerun):.1f}",
            f"{search / each.limit:.1f}",
            f"{statistics.fmean(each.plain_accuracies):.3f}",
            f"{statistics.fmean(each.accuracies):.3f}" + ("" if each.agree else " DIFFERS"),
        )
    return result


def main() -> int:
    """Measure, print, and say by the exit code whether the accuracies agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.throughput")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--quick", action="store_true", help="one model per family, in a minute")
    parser.add_argument("--epochs", type=int, default=25, help="not with --quick (default: 25)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved runs (default: 3)")
    parser.add_argument(
        "--floor", type=float, default=0.0, help="fail below this share of the promised ratios"
    )
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else dict.fromkeys(arguments.models, arguments.epochs)
    digits = pairs.pool(mnist.load("mnist-sample"))
    rate = matrix_rate()
    print(f"{cores()} cores, {rate / 1e9:.0f} GFLOP/s in matrix products", flush=True)
    measured = {}
    trainings: dict[str, Training] = {}
    for model, epochs in plan.items():
        trainings[model] = experiment(epochs=epochs).training(model)
        trainings[WARM_UP.format(model)] = experiment(epochs=1).training(model)
    with Cluster(None, cores(), trainings, digits) as cluster:
        bench = Bench(cluster, digits)
        for model, epochs in plan.items():
            measured[model] = bench.measure(
                model, epochs, 1 if arguments.quick else arguments.rounds
            )
            measured[model].limit = flops(model, epochs) / rate
            if not arguments.quick:
                print(f"{model} measured", file=sys.stderr, flush=True)
    Console(width=200).print(table(measured))
    families = {MODELS[model].architecture: [] for model in measured}
    for model, each in measured.items():
        families[MODELS[model].architecture].append(each)
    fast = True
    for family, members in families.items():
        search = statistics.median(each.ratio(each.search) for each in members)
        rerun = statistics.median(each.ratio(each.rerun) for each in members)
        print(f"ratio {family} search {search:.1f} rerun {rerun:.1f}")
        promised = PROMISED[family]
        fast = fast and search >= arguments.floor * promised[0]
        fast = fast and rerun >= arguments.floor * promised[1]
    return 0 if fast and all(each.agree for each in measured.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
