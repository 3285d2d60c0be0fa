"""Write a trainer for Carnet workers in Python: numpy always, PyTorch when present (carnet_trainer.pytorch)."""

from .data import batches, read_csv
from .errors import TrainerError
from .trainer import Context, Evaluation, Fit, Job, read_settings, serve, trainer

__version__ = "0.1.0"
__all__ = [
    "Context",
    "Evaluation",
    "Fit",
    "Job",
    "TrainerError",
    "batches",
    "read_csv",
    "read_settings",
    "serve",
    "trainer",
]
