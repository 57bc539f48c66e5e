"""Two formats of text: Envoy's own default, and the default with the client's certificate at its end.

Envoy writes what a client sent (path, headers) without escapes, so that a quote in it can make client text look like
the proxy's own words. A line of the default format that holds such a quote is not read. What the second format has at
its end holds no word of a client: it is read from the end, whatever stands before it, and ends in a word that is no
operator, so that no client can turn a line of the first format into one of the second.
"""

import re

from custody.sources.envoy_access.facts import Facts

FORM = "envoy"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z"
HEAD = rf'\[{_TIME}\] "[^"]*'
_REQUEST = r'"(?P<method>[^\s"]*+) (?P<path>[^"]*?) (?P<protocol>[^\s"]*+)"'
_DEFAULT = (
    rf"\[(?P<time>{_TIME})\] {_REQUEST} (?P<code>[0-9]{{1,3}}|-) (?P<flags>[A-Za-z,-]{{1,200}}) (?:[0-9]+|-) "
    r'(?:[0-9]+|-) (?:[0-9]+|-) [^\s"]* "[^"]*" "(?P<agent>[^"]*)" "(?P<request>[^"]*)" "(?P<authority>[^"]*)" '
    r'"(?P<upstream>[^"]*)"'
)
_PEER = (
    r' (?P<code>[0-9]{1,3}|-) (?P<flags>[A-Za-z,-]{1,200}) "(?P<details>[^"]*)" "(?P<failure>[^"]*)" '
    r'"(?P<direct>[^"]*)" "(?P<uris>[^"]*)" "(?P<serial>[0-9a-f-]*)" "(?P<sha256>[0-9a-f-]*)" "(?P<until>[^"]*)" peer/1'
)
_LINE = re.compile(_DEFAULT)
_START = re.compile(rf"\[(?P<time>{_TIME})\] ")
_END = re.compile(_PEER + r"\Z")
_HEAD = re.compile((HEAD + '" (?:[0-9]{1,3}|-) [A-Za-z,-]{1,200} ').encode())


def is_line(raw: bytes) -> bool:
    """Whether a record is, or begins as, a line of either format."""
    if raw[:1] != b"[" or _START.match(raw[:64].decode("latin-1")) is None:
        return False
    return _HEAD.match(raw) is not None or raw.endswith(b" peer/1")


def facts_of(line: str) -> Facts | None:
    """The facts of a line; None where a quote within a field makes them unsure."""
    start, end = _START.match(line), _END.search(line)
    whole = _LINE.fullmatch(line[: end.start()] if end else line)
    if start is None or (whole is None and end is None):
        return None
    found = {**(whole.groupdict() if whole else start.groupdict()), **(end.groupdict() if end else {})}
    return {name: text for name, text in found.items() if text not in (None, "", "-")}
