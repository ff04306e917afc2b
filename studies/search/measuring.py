"""Measure how fast the workers of this machine train each model, in a few seconds of each."""

import math
import time
from collections.abc import Sequence
from datetime import date
from statistics import fmean

from studies.experiment.definition import Experiment
from studies.search.speed import Point, Probe, Speed, keep
from studies.workers import disturbance
from studies.workers.cluster import Cluster
from studies.workers.job import Job
from studies.workers.measured import Measured, measured

PATIENCE = 20.0
"""Seconds without the end of any training after which the others are not waited for."""

STARTS = 60.0
"""Seconds in which all workers start, if they do."""

OTHERS = 0.2
"""Share of the processors that other programs may take of what is kept."""

LONG = 5.0
"""Seconds of a training beyond which no other of its model is measured."""


def measure(
    cluster: Cluster,
    experiment: Experiment,
    models: Sequence[str],
    data_sha256: str | None,
    workers: int,
) -> dict[str, Speed]:
    """Measure some seconds of each model on the workers of this machine, and keep it.

    A model of which a training fails or takes long is left out. What was measured while other
    programs took much of the processors is not kept.
    """
    before = time.monotonic()
    while not cluster.is_complete and time.monotonic() - before < STARTS:
        time.sleep(0.05)
    start = time.monotonic() - before
    quiet = disturbance.read()
    probes = {model: Probe(experiment, model) for model in models}
    search: dict[str, list[Point]] = {model: [] for model in models}
    rerun: dict[str, list[Point]] = {model: [] for model in models}
    jobs = {model: probe.jobs(cluster.key) for model, probe in probes.items()}
    cheap = [(model, of_model[0]) for model, of_model in jobs.items() if of_model]
    for model, job, took in _timed(cluster, cheap, workers):
        search[model].append(probes[model].point(job, took))

    def is_quick(model: str) -> bool:
        return all(rest + own < LONG for _, rest, own in search[model])

    quick = [model for model in models if (search[model] or not jobs[model]) and is_quick(model)]
    costly = [(model, job) for model in quick for job in jobs[model][1:]]
    for model, job, took in _timed(cluster, costly, workers):
        search[model].append(probes[model].point(job, took))
    for model in quick:
        for _, job, took in _timed(cluster, [(model, probes[model].rerun(cluster.key))], 1):
            rerun[model].append(probes[model].point(job, took))
    speeds = {
        model: Speed(date.today().isoformat(), _means(search[model]), _means(rerun[model]), start)
        for model in models
        if search[model] or rerun[model]
    }
    others = disturbance.share_of_others(quiet, disturbance.read())
    for model, speed in speeds.items() if (others or 0.0) < OTHERS else ():
        keep(probes[model].file(data_sha256, workers), speed)
    return speeds


def _timed(
    cluster: Cluster, jobs: Sequence[tuple[str, Job]], workers: int
) -> list[tuple[str, Job, Measured]]:
    """Do jobs on all workers at a time, as a run would; return those that ended well."""
    copies = math.ceil(workers / len(jobs)) if jobs else 0
    host = cluster.hosts()[0].name
    futures = {cluster.submit(host, measured, job): (m, job) for m, job in [*jobs] * copies}
    took = []
    heard = time.monotonic()
    while futures and time.monotonic() - heard < PATIENCE:
        for future, result in cluster.finished(0.5):
            if future in futures:
                heard = time.monotonic()
                model, job = futures.pop(future)
                if isinstance(result, Measured):
                    took.append((model, job, result))
    cluster.cancel(list(futures))
    return took


def _means(points: Sequence[Point]) -> tuple[Point, ...]:
    by_cost: dict[float, list[Point]] = {}
    for point in points:
        by_cost.setdefault(point[0], []).append(point)
    return tuple(
        (cost, fmean(rest for _, rest, _ in same), fmean(own for _, _, own in same))
        for cost, same in sorted(by_cost.items())
    )
