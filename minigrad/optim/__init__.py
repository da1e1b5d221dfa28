"""Optimizers and learning-rate schedules. In reading order: sgd, adagrad, rmsprop, adam; then lr_scheduler.

Each optimizer is a pure update function on raw arrays (the formula) and a class that keeps the state;
`optimizer.py` has what the classes share.
"""

from minigrad.optim import lr_scheduler
from minigrad.optim.adagrad import Adagrad
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.rmsprop import RMSprop
from minigrad.optim.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
