"""The sequential and general models of RecBole as a runner of plawd: `python -m plaw_recbole DIRECTORY`.

`plaw_recbole.training` has `train` and `describe`. It is not imported here, since RecBole takes two seconds.
"""

from plaw_recbole.arguments import Arguments

__all__ = ["Arguments"]
