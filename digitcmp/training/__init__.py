"""Training: the loss, the fast path on stacks, and autograd for all other networks."""

from digitcmp.training.process import tune_process
from digitcmp.training.train import (
    Hyperparameters,
    TrainingResult,
    initial_network,
    train,
)

__all__ = ["Hyperparameters", "TrainingResult", "initial_network", "train", "tune_process"]
