"""What a trainer needs to train trials for plawd: specification, corpus, split, progress, checkpoints, ranks.

A runner is any command that follows the trial contract (protos/trial/README.md). This package does all of it but the
training; NumPy is its only dependency. `Trial` shows a runner in fifteen lines.
"""

from plaw.runner.corpus import Corpus, corpus_bytes
from plaw.runner.errors import CorpusError, Diverged, Interrupted, Refused, RunnerError
from plaw.runner.ranking import Measurement, Ranking, Ranks, measure, padded
from plaw.runner.spec import Configuration, Options, Spec
from plaw.runner.split import Candidates, Negatives, Part, SharedNegatives, Split
from plaw.runner.stopping import Position, patience
from plaw.runner.trial import Description, Trial, Validation

__all__ = [
    "Candidates",
    "Configuration",
    "Corpus",
    "CorpusError",
    "Description",
    "Diverged",
    "Interrupted",
    "Measurement",
    "Negatives",
    "Options",
    "Part",
    "Position",
    "Ranking",
    "Ranks",
    "Refused",
    "RunnerError",
    "SharedNegatives",
    "Spec",
    "Split",
    "Trial",
    "Validation",
    "corpus_bytes",
    "measure",
    "padded",
    "patience",
]
