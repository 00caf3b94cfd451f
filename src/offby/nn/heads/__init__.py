"""Last layers for ordered classes: log-probabilities out, so any loss fits.

Each takes (..., in_features) and gives (..., num_classes), classes last: say `dim=-1`
to a criterion where there are more axes than rows and classes. Page: docs/heads.md.
"""

from offby.nn.heads._conditional import CORN, StickBreaking
from offby.nn.heads._cumulative import CORAL, CumulativeLink
from offby.nn.heads._mixture import DiscretizedLogistics
from offby.nn.heads._unimodal import Binomial, Poisson, Unimodal

__all__ = [
    "CORAL",
    "CORN",
    "Binomial",
    "CumulativeLink",
    "DiscretizedLogistics",
    "Poisson",
    "StickBreaking",
    "Unimodal",
]
