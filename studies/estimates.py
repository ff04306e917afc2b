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
        known = {
            key: seconds for key, seconds in mean_train_seconds(engine).items() if _guess(*key) > 0
        }
        self._corrections = {
            wanted: sum(seconds for (model, _, _), seconds in known.items() if model == wanted)
            / sum(_guess(*key) for key in known if key[0] == wanted)
            for wanted in {model for model, _, _ in known}
        }

    def seconds(self, stage: Stage, batch_size: int) -> float:
        """What one training adds to the wall time of a run: reruns go one by one."""
        alone = self.alone(stage, batch_size)
        return alone if stage.is_rerun else alone / self._workers

    def alone(self, stage: Stage, batch_size: int) -> float:
        """How long one training takes from its begin to its end."""
        model, epochs = stage.model, stage.protocol.epochs
        return _guess(model, batch_size, epochs) * self._corrections.get(model, 1.0)


def _guess(model: str, batch_size: int, epochs: int) -> float:
    """Zero for what is not ours, such as a row that somebody else has loaded."""
    per_epoch, per_step = SECONDS.get(model, (0.0, 0.0))
    return epochs * (per_epoch + per_step * 1000 / max(batch_size, 1))
