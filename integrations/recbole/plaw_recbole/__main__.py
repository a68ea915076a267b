"""The runner: `python -m plaw_recbole DIRECTORY` or `python -m plaw_recbole describe SPEC.json`."""

from __future__ import annotations

import sys

from plaw.runner import Description, Refused, Trial
from plaw_recbole.arguments import Arguments


def main() -> None:
    """Train the trial that the command line names."""
    words = sys.argv[1:]
    # RecBole takes every --key=value of the process as a setting of its own.
    sys.argv = sys.argv[:1]
    try:
        arguments, words = Arguments.parse(words)
    except Refused as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(64) from error

    # RecBole is imported late: it takes two seconds, which a trial that has its result need not wait for.
    def describe(trial: Trial) -> Description:
        from plaw_recbole.training import describe

        return describe(trial, arguments)

    with Trial.open(words, describe=describe) as trial:
        from plaw_recbole.training import train

        train(trial, arguments)


if __name__ == "__main__":
    main()
