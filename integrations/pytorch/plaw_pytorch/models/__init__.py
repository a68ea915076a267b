"""The models, by the name that a specification gives them as its backbone."""

from plaw_pytorch.model import SequenceModel
from plaw_pytorch.models.gpt import GPT
from plaw_pytorch.models.hstu import HSTU
from plaw_pytorch.models.llama import Llama
from plaw_pytorch.models.sasrec import SASRec

MODELS: dict[str, type[SequenceModel]] = {
    "sasrec": SASRec,
    "gpt": GPT,
    "llama": Llama,
    "hstu": HSTU,
}

__all__ = ["MODELS"]
