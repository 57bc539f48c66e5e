"""The lines of the text format, and the time that stands before them where a tool wrote it there."""

import re

import msgspec

_TIME = (
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?)"
)
_STREAM = r"(?P<stream>[0-9]{4}/[0-9]{2}/[0-9]{2}/[A-Za-z0-9_./-]{0,140}\[[^\]\s]{1,64}\][0-9a-f]{8,64})"
_ID = r"(?P<id>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
_FRONT = re.compile(rf"{_TIME}[ \t]+(?:{_STREAM}[ \t]+)?")
_SHAPES = (
    ("START", re.compile(rf"START RequestId: {_ID}(?: Version: (?P<version>[$A-Za-z0-9_-]{{1,64}}))?[ -~]{{0,200}}")),
    ("END", re.compile(rf"END RequestId: {_ID}[ -~]{{0,100}}")),
    ("REPORT", re.compile(rf"REPORT RequestId: {_ID}(?P<facts>[\t\r\n -~]{{0,1000}})")),
    ("INIT_START", re.compile(r"INIT_START Runtime Version: (?P<facts>[\t\r\n -~]{0,400})")),
    ("INIT_REPORT", re.compile(r"INIT_REPORT Init Duration: (?P<facts>[\t\r\n -~]{0,400})")),
    ("TIMEOUT", re.compile(rf"(?:{_TIME} )?{_ID} Task timed out after [0-9.]{{1,10}} seconds")),
)

HEAD = (
    rf"(?:{_TIME}[ \t]+(?:{_STREAM}[ \t]|(?:START|END|REPORT) RequestId: |INIT_START Runtime Version: )"
    r"|(?:START|END|REPORT) RequestId: )"
)
"""How a line of text begins by which a file of them is known."""

_FACTS = (
    "Billed Duration", "Billed Restore Duration", "Restore Duration", "Init Duration", "Duration", "Max Memory Used",
    "Memory Size", "XRAY TraceId", "SegmentId", "Sampled", "Error Type", "Status",
)  # fmt: skip
_FACT = re.compile(rf"(?:\A|(?<=\s))({'|'.join(_FACTS)}): ")
_LONGEST_FACT = 120


class Line(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A platform line: ``time`` as text where one stands before it, ``stream`` its log stream, both None where not."""

    kind: str
    id: str | None = None
    version: str | None = None
    facts: dict[str, str] = {}
    time: str | None = None
    stream: str | None = None


def parse(text: str) -> Line | None:
    """The platform line in ``text``; None where it is what a function printed, or anything else."""
    text = text.strip()
    front = _FRONT.match(text)
    return _line(text, None) or (_line(text[front.end() :], front) if front else None)


def _line(text: str, front: re.Match[str] | None) -> Line | None:
    for kind, shape in _SHAPES:
        found = shape.fullmatch(text)
        if found is not None:
            said = found.groupdict()
            return Line(
                kind=kind,
                id=said["id"].lower() if said.get("id") else None,
                version=said.get("version"),
                facts=_facts(said.get("facts") or ""),
                time=_time(front) or _time(found if "time" in said else None),
                stream=front["stream"] if front else None,
            )
    return None


def _time(found: re.Match[str] | None) -> str | None:
    """A time as RFC 3339; one without a zone is UTC, as the tools print it."""
    if found is None or found["time"] is None:
        return None
    return str(found["time"]) if found["zone"] else f"{found['time']}Z"


def _facts(text: str) -> dict[str, str]:
    """``Name: value`` with tabs, line ends or (where a tool changed those) spaces between."""
    pieces = _FACT.split(text)
    return {
        name: value.strip()
        for name, value in zip(pieces[1::2], pieces[2::2], strict=True)
        if 0 < len(value.strip()) <= _LONGEST_FACT
    }


def function_of(stream: str | None) -> str | None:
    """The function that a stream of a shared log group names: ``2026/01/05/NAME[VERSION]ID``."""
    if stream is None:
        return None
    name = stream.partition("[")[0].split("/", 3)[-1]
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,140}", name) else None
