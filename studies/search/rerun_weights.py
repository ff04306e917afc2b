"""What reruns learned, kept as artifacts of their trials."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from storage.artifacts import attribute, weights_id
from storage.files import replace_whole
from storage.trainings import TrainingRun
from studies.experiment.study import GridStudy
from studies.experiment.weights import described
from studies.search.trial import RunningTrial

logger = logging.getLogger(__name__)


@dataclass
class RerunWeights:
    """Writes the weights of reruns to the folder of artifacts; its troubles are warnings.

    A file is on disk before its training is recorded, and the trial names it in the transaction
    that ends it: whatever is killed between, no rerun that counts has lost its weights. Of a
    training that was not recorded a file may be left, which nothing names.
    """

    folder: Path
    _warned: set[str] = field(default_factory=set)

    def keep(self, new: Sequence[tuple[RunningTrial, Sequence[TrainingRun]]]) -> None:
        """Write the weights of trainings that are about to be recorded."""
        for running, runs in new:
            for run in runs:
                weights = running.weights.pop(run.seed, None)
                if isinstance(weights, str):
                    self._warn(running.study, run, weights)
                elif weights is not None:
                    try:
                        content = described(weights, _description(running.study, run))
                        self.folder.mkdir(parents=True, exist_ok=True)
                        replace_whole(self.folder / weights_id(run), content, is_synced=True)
                    except OSError as error:
                        place = f"{error.strerror}: {self.folder}"
                        self._warn(running.study, run, place)

    def artifacts(self, running: RunningTrial) -> dict[str, str]:
        """Return the files of a trial that is about to end, as `storage.artifacts.attribute`."""
        if not running.study.is_rerun:
            return {}
        named: dict[str, str] = {}
        for seed, run in running.runs.items():
            identifier = weights_id(run)
            if (self.folder / identifier).is_file():
                named |= attribute(identifier, f"{run.model}-seed{seed}.safetensors")
        return named

    def _warn(self, study: GridStudy, run: TrainingRun, reason: str) -> None:
        # Results are worth more: the rerun counts. One warning, where all ten have the same reason.
        if reason not in self._warned:
            self._warned.add(reason)
            logger.warning(
                "the weights of %s, seed %d, are not kept, its result is: %s",
                study.study_name, run.seed, reason,
            )  # fmt: skip


def _description(study: GridStudy, run: TrainingRun) -> dict[str, str]:
    """Return the metadata of a file: where its weights come from."""
    objective = study.experiment.objective
    return {
        objective: repr(run.numbers[objective]),
        "objective": objective,
        "experiment": study.experiment.name,
        "model": run.model,
        "parameters": json.dumps(dict(run.parameters)),
        "seed": str(run.seed),
        "settings": json.dumps(dict(run.settings)),
        "data": run.data or "",
        "fingerprint": run.fingerprint,
        "started_at": run.started_at,
    }
