"""Tables from files, and what a target column asks for."""

from offby.tables._classes import MANY
from offby.tables._files import FORMATS, Table, read, scan
from offby.tables._memory import check_room
from offby.tables._prepare import Problem, prepare, split_list

__all__ = [
    "FORMATS",
    "MANY",
    "Problem",
    "Table",
    "check_room",
    "prepare",
    "read",
    "scan",
    "split_list",
]
