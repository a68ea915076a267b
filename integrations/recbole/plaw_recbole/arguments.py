"""Arguments of the runner that a specification has no member for; they stand before the trial's directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plaw.runner import Refused


@dataclass(frozen=True)
class Arguments:
    """What the command of an executor says besides the trial's directory."""

    augmentation: bool = True
    """Whether a sequential model trains on a prefix for every position, as RecBole does. Otherwise `ce` and `bpr` train
    on the newest position of each user alone."""
    attributes: Path | None = None
    """JSON, also gzip: an object of lists of attributes by item name, for models that need the attributes of items."""

    pretraining: int = 20
    """Epochs of the first stage of S3Rec."""

    @staticmethod
    def parse(words: list[str]) -> tuple[Arguments, list[str]]:
        """Return the arguments and the words that are left.

        Raises:
            Refused: An argument is unknown.
        """
        augmentation = True
        attributes: Path | None = None
        pretraining = Arguments.pretraining
        rest = list(words)
        while rest and rest[0].startswith("--"):
            word = rest.pop(0)
            if word == "--no-augmentation":
                augmentation = False
            elif word == "--attributes" and rest:
                attributes = Path(rest.pop(0))
            elif word == "--pretraining" and rest and rest[0].isdecimal():
                pretraining = int(rest.pop(0))
            else:
                raise Refused(
                    f"{word}: found an unknown argument, expected --no-augmentation, --attributes FILE or "
                    "--pretraining EPOCHS"
                )
        return Arguments(augmentation, attributes, pretraining), rest
