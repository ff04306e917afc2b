"""How long trainings take."""

from sqlalchemy import Engine

from storage.queries import mean_train_seconds
from studies.stages import Stage

SECONDS = {
    "MLP": (0.002, 3.5e-5),
    "SiameseMLP": (0.004, 3.5e-5),
    "AuxMLP": (0.004, 5.0e-5),
    "AuxsiameseMLP": (0.004, 3.5e-5),
    "CNN": (0.027, 4.0e-4),
    "SiameseCNN": (0.050, 5.0e-4),
    "AuxCNN": (0.052, 1.1e-3),
    "AuxsiameseCNN": (0.050, 5.0e-4),
    "ResNet": (0.50, 1.0e-3),
    "SiameseResNet": (1.00, 1.5e-3),
    "AuxResNet": (1.00, 3.0e-3),
    "AuxsiameseResNet": (1.00, 1.5e-3),
}
"""One core's seconds for the pairs of an epoch, and for each step, measured on an AVX-512 server.
Only the first estimate in a new store rests on these: recorded trainings correct them."""


class Estimates:
    """Wall times of trainings to come, from those of the recorded ones where there are any."""

    def __init__(self, engine: Engine, workers: int) -> None:
        self._workers = workers
        known = mean_train_seconds(engine)
        self._corrections = {
            wanted: sum(seconds for (model, _, _), seconds in known.items() if model == wanted)
            / sum(_guess(*key) for key in known if key[0] == wanted)
            for wanted in {model for model, _, _ in known}
        }

    def seconds(self, stage: Stage, batch_size: int) -> float:
        """What one training adds to the wall time of a run: reruns go one by one."""
        model, epochs = stage.model, stage.protocol.epochs
        one = _guess(model, batch_size, epochs) * self._corrections.get(model, 1.0)
        return one if stage.is_rerun else one / self._workers


def _guess(model: str, batch_size: int, epochs: int) -> float:
    per_epoch, per_step = SECONDS[model]
    return epochs * (per_epoch + per_step * 1000 / batch_size)
