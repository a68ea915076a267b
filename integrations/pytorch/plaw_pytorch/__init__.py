"""Sequential recommenders in PyTorch as a runner of plawd: `python -m plaw_pytorch DIRECTORY`."""

from plaw_pytorch.models import MODELS
from plaw_pytorch.training import describe, train

__all__ = ["MODELS", "describe", "train"]
