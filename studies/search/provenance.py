"""Where results come from: experiment, versions, commit, command, machine."""

import platform
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from studies.display.words import without_password
from studies.experiment.study import GridStudy, chain

PACKAGES = ("torch", "optuna", "numpy", "distributed", "sqlalchemy")


@dataclass(frozen=True)
class Data:
    """The data that trainings use, none where `sha256` is None."""

    label: str | None
    """For people."""
    sha256: str | None


def study_attributes(grid: GridStudy, data: Data) -> dict[str, Any]:
    """Return what is kept with a study, so that reading needs no definition of its experiment."""
    experiment, model = grid.experiment, grid.model
    training = experiment.training(model)
    published = experiment.published_of(model)
    claims = experiment.no_better if experiment.is_comparable else ()
    return {
        "experiment": experiment.name,
        "definition": experiment.definition,
        "model": model,
        "stage": grid.name,
        "extends": grid.stage if grid.extension else None,
        "extension": grid.extension or None,
        "settles": None if grid.repeats is None else grid.stage,
        "reason": grid.reason,
        "objective": experiment.objective,
        "direction": experiment.direction,
        "parameters": training.parameter_count,
        "code": training.code,
        "guessing": experiment.guessing,
        "protocol": experiment.protocol(data.sha256),
        "grid": {name: list(values) for name, values in grid.grid.items()},
        "cells": None if grid.only is None else [dict(cell) for cell in grid.only],
        "stages": list(chain(experiment, model)),
        "models": list(experiment.models),
        "published": None if published is None else asdict(published),
        "factors": experiment.factors.get(model),
        "no_better": [list(claim) for claim in claims] or None,
        "data": data.label,
        **provenance(),
    }


def provenance() -> dict[str, Any]:
    """Return the attributes of a study that say how it was made."""
    return {
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "machine": f"{platform.machine()} {platform.system()} {platform.node()}",
        "git_commit": git_commit(),
        "command": this_command(),
    }


def this_command() -> str:
    """Return the command of this process, without passwords."""
    return shlex.join(map(without_password, ["python", *sys.orig_argv[1:]]))


@cache
def git_commit() -> str | None:
    """Return a checkout's commit, marked where files differ; None for an installed copy."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        tracked = ["git", "-C", str(folder), "ls-files", "--error-unmatch", __file__]
        subprocess.run(tracked, capture_output=True, check=True, timeout=5)
        described = subprocess.run(command, capture_output=True, check=True, timeout=5, text=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
