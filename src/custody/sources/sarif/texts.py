"""Which strings of a SARIF run are kept: those that cannot hold what was found. Every other one is masked.

Scanners put the secret wherever the format has room: in the snippet, in the message, among the properties, in
fingerprints (whose hash of a short secret can be guessed at). So the list names what stays. Ids of AWS access keys are
no secrets and stay wherever they are: by them an exposure is joined to the key. Frozen with ``sarif-run/1``.
"""

import re
from collections.abc import Iterable, Iterator

from custody.model.records import SecretSpan

CLASS = "found"
KEY_ID = re.compile(rb"(?:(?<![A-Z0-9])|(?<=\\u[0-9A-Fa-f]{4}))(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")
"""The id of an access key, also right behind an escaped character: Go writes ``&`` as ``\\u0026``."""
_TOKEN = re.compile(rb'"((?:[^"\\]++|\\.)*+)"([ \t\r\n]*+:)?|[{}\[\]]', re.DOTALL)
_KEPT = frozenset(
    tuple(path.split("."))
    for path in (
        "invocations.startTimeUtc",
        "invocations.endTimeUtc",
        "versionControlProvenance.repositoryUri",
        "versionControlProvenance.revisionId",
        "versionControlProvenance.branch",
        "versionControlProvenance.asOfTimeUtc",
        "automationDetails.id",
        "automationDetails.guid",
        "artifacts.location.uri",
        "columnKind",
        "results.ruleId",
        "results.rule.id",
        "results.kind",
        "results.level",
        "results.guid",
        "results.correlationGuid",
        "results.baselineState",
        "results.provenance.firstDetectionTimeUtc",
        "results.provenance.lastDetectionTimeUtc",
        "results.suppressions.kind",
        "results.suppressions.status",
        "results.locations.physicalLocation.artifactLocation.uri",
        "results.locations.physicalLocation.artifactLocation.uriBaseId",
        "results.partialFingerprints.commitSha",
        "results.partialFingerprints.date",
        "results.properties.commit",
        "results.properties.commitSha",
        "results.properties.date",
        "results.properties.tags",
    )
)
"""Paths of members; arrays lend their elements their own path. Everything below ``tool`` stays too."""


def find(raw: bytes) -> tuple[SecretSpan, ...]:
    """The contents of the strings in ``raw`` (one valid JSON object) that are masked."""
    return tuple(
        SecretSpan(begin, stop, CLASS)
        for path, begin, stop in strings(raw)
        if stop > begin and path[:1] != ("tool",) and path not in _KEPT
    )


def without_ids(raw: bytes, spans: Iterable[SecretSpan]) -> Iterator[SecretSpan]:
    """The spans without the key ids that stand in them."""
    for span in spans:
        at = span.start
        for found in KEY_ID.finditer(raw, span.start, span.end):
            if found.start() > at:
                yield SecretSpan(at, found.start(), span.secret)
            at = found.end()
        if span.end > at:
            yield SecretSpan(at, span.end, span.secret)


def strings(raw: bytes) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Every string that is no member's name, in order: the path of members that leads to it, and its content's place.

    A name is its bytes, escapes included: one that is spelt with escapes is no name that is kept.
    """
    path: tuple[str, ...] = ()
    name = ""
    outer: list[tuple[bool, tuple[str, ...]]] = []
    for token in _TOKEN.finditer(raw):
        symbol = token[0]
        if token[2] is not None:
            name = raw[token.start(1) : token.end(1)].decode("utf-8", "replace")
        elif symbol[:1] == b'"':
            yield (_place(outer, path, name), *token.span(1))
        elif symbol in b"{[":
            path = _place(outer, path, name)
            outer.append((symbol == b"{", path))
        elif outer:
            outer.pop()
            path = outer[-1][1] if outer else ()


def _place(outer: list[tuple[bool, tuple[str, ...]]], path: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The path of a value: in an object its member is added, in an array or at the top it has the path around it."""
    return (*path, name) if outer and outer[-1][0] else path
