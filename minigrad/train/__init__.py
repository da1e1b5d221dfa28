"""What training loops of any kind use: when to stop, and a loss against a teacher."""

from minigrad.train.distillation import distillation_loss
from minigrad.train.early_stopping import EarlyStopping

__all__ = ["EarlyStopping", "distillation_loss"]
