"""What a report format is. Each stands in one file of this room as ``FORMAT``."""

from collections.abc import Callable, Sequence

import msgspec

from custody.model.annex import Annex
from custody.model.report import Chain, Report


class ReportFormat(msgspec.Struct, frozen=True, kw_only=True):
    """A way to write a report down.

    ``id`` is what ``--format`` takes, ``suffix`` (with its dot) what a file of it is called by. ``render`` is a pure
    function of the report, the chains that matter most, most first, and what the report has beside itself (the
    register, the cover of a pack); it never raises on the text of hostile logs.
    """

    id: str
    title: str
    media_type: str
    suffix: str
    render: Callable[[Report, Sequence[Chain], Annex], bytes]
