"""Reports as text, 80 columns wide: pure functions, plain unless given a ``Style`` that is on.

Every function here makes the text of logs plain itself (``safe.cleaned``) before it lays anything out.
"""

from custody.reports.terminal.brokered import requests
from custody.reports.terminal.chain import chain
from custody.reports.terminal.containment import containment
from custody.reports.terminal.coverage import coverage
from custody.reports.terminal.findings import findings
from custody.reports.terminal.hits import hits, nothing
from custody.reports.terminal.page import page
from custody.reports.terminal.scope import scope
from custody.reports.terminal.style import PLAIN, Style
from custody.reports.terminal.tree import tree

__all__ = [
    "PLAIN",
    "Style",
    "chain",
    "containment",
    "coverage",
    "findings",
    "hits",
    "nothing",
    "page",
    "requests",
    "scope",
    "tree",
]
