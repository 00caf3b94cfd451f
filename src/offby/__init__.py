"""Losses that know how far off you are."""
from offby import losses, nn
from offby.bins import Bins
from offby.grounds import Costs, Line
