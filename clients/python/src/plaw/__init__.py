"""A client of plawd: from a DataFrame to the layers and dimension that a sequential recommender deserves.

    import plaw

    client = plaw.Client()
    client.register("shop", frame)
    client.calibrate("shop", budget="10m")
    answer = client.recommend("shop", max_params="2M")
    answer.configuration.layers, answer.predicted["ndcg@10"], answer.interval["ndcg@10"]

`AsyncClient` has the same methods for asynchronous code.
"""

from . import importers
from ._wire import PROTOCOL
from .answers import *  # noqa: F403
from .answers import __all__ as _answers
from .client import AsyncClient, Client
from .errors import (
    ConnectionLostError,
    DaemonNotRunningError,
    DroppedRowsWarning,
    InvalidArgumentError,
    JobFailedError,
    PlawError,
    ProtocolError,
    RefusedError,
)

__version__ = "0.1.0"

__all__ = [
    "PROTOCOL",
    "AsyncClient",
    "Client",
    "ConnectionLostError",
    "DaemonNotRunningError",
    "DroppedRowsWarning",
    "InvalidArgumentError",
    "JobFailedError",
    "PlawError",
    "ProtocolError",
    "RefusedError",
    "importers",
    *_answers,
]
