"""The models, by the name that a specification gives them as its backbone."""

from plaw_pytorch.model import SequenceModel
from plaw_pytorch.models.bert4rec import BERT4Rec
from plaw_pytorch.models.gpt import GPT
from plaw_pytorch.models.gru4rec import GRU4Rec
from plaw_pytorch.models.hstu import HSTU
from plaw_pytorch.models.lightgcn import LightGCN
from plaw_pytorch.models.llama import Llama
from plaw_pytorch.models.mamba import Mamba
from plaw_pytorch.models.sasrec import SASRec
from plaw_pytorch.models.srgnn import SRGNN

MODELS: dict[str, type[SequenceModel]] = {
    "sasrec": SASRec,
    "gpt": GPT,
    "llama": Llama,
    "hstu": HSTU,
    "bert4rec": BERT4Rec,
    "gru4rec": GRU4Rec,
    "srgnn": SRGNN,
    "lightgcn": LightGCN,
    "mamba": Mamba,
}

__all__ = ["MODELS"]
