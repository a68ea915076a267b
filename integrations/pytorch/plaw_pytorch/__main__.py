"""The runner: `python -m plaw_pytorch DIRECTORY` or `python -m plaw_pytorch describe SPEC.json`."""

from plaw.runner import Trial
from plaw_pytorch import describe, train


def main() -> None:
    """Train the trial that the command line names."""
    with Trial.open(describe=describe) as trial:
        train(trial)


if __name__ == "__main__":
    main()
