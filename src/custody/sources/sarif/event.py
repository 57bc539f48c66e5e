"""The typed meaning of a run: that it took place, and every secret that it says it found.

A scanner is asked by nobody to issue or to check what it finds, so each exposure is declared: shown, and never a proof.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from custody.errors import SourceError
from custody.model.events import Asserter, Event, Outcome, Part, Skip, Stage
from custody.sources import identities, moments
from custody.sources.decoding import told
from custody.sources.masking import mask
from custody.sources.sarif.identity import secrets
from custody.sources.sarif.records import Artifact, Region, Result, Run, Tags
from custody.sources.sarif.texts import KEY_ID

_RUN = msgspec.json.Decoder(Run)
_TAGS: msgspec.json.Decoder[Tags | None] = msgspec.json.Decoder(Tags | None)
_SCANNERS = (
    "gitleaks", "betterleaks", "trufflehog", "ggshield", "gitguardian", "nosey parker", "noseyparker", "kingfisher",
    "detect-secrets", "secret",
)  # fmt: skip
"""Words in the names of tools that look for secrets and nothing else."""
_TELLING = frozenset(("secret", "secrets", "credential", "credentials", "external/cwe/cwe-798", "cwe-798"))
"""Tags by which tools of a wider use mark what is a secret."""
_NOT_FOUND = frozenset(("pass", "notApplicable", "informational"))
_LONGEST = 400
"""Characters of a place that are shown: a path is the choice of whoever wrote the file."""


def read(kept: bytes, _form: str) -> tuple[Event, ...] | Skip:
    """The events of a kept run, or why there are none. Raises nothing."""
    return told(lambda: _read(kept))


def _read(kept: bytes) -> tuple[Event, ...]:
    """Reading masks too: the record must say the same from the original and from the kept copy."""
    clean = mask(kept, secrets(kept).spans)
    return _events(_RUN.decode(clean), identities.hashed(clean))


def _events(run: Run, identity: str) -> tuple[Event, ...]:
    """One event for each secret, in order, and one for the run. A secret without any time is told by the run alone."""
    scanned = _scanned(run)
    meant = [(result, _keys(result)) for result in run.results or () if result.kind not in _NOT_FOUND]
    meant = [(result, keys) for result, keys in meant if keys or _is_secret(run, result)]
    found = [each for result, keys in meant if (each := _found(run, result, keys, scanned, identity)) is not None]
    times = [event.time for event in found]
    if scanned is None and not times:
        raise SourceError(
            "a run without any time", where="$.invocations[].endTimeUtc", expected="when it ended, or dates of commits"
        )
    counts = {"results": len(run.results or ()), "secrets": len(meant), "without_time": len(meant) - len(found)}
    when = max(times) if scanned is None else scanned
    return (*found, _event(run, identity, when, "scan", {name: str(count) for name, count in counts.items() if count}))


def _found(run: Run, result: Result, keys: Sequence[str], scanned: int | None, identity: str) -> Event | None:
    """A secret that was found: at the first time that is told of it, which is that of its commit where there is one."""
    own = _own_times(result)
    if scanned is None and not own:
        return None
    bag = _bag(result.properties) or Tags()
    marks = _bag(result.partialFingerprints) or Tags()
    place = _place(run, result)
    effect = _effect(result)
    parts = tuple(
        Part(stage=Stage.CHANGE, key=key, effect=effect, object=place, asserter=Asserter.DECLARED)
        for key in (*keys, *(() if keys else (None,)))
    )
    said = {"commit": marks.commitSha or bag.commitSha or bag.commit, "rule": _rule_id(run, result)}
    told_of = {name: text for name, text in said.items() if text}
    when = min(own) if own else scanned
    assert when is not None
    return msgspec.structs.replace(_event(run, identity, when, "secret found", told_of), parts=parts)


def _effect(result: Result) -> str:
    if result.baselineState == "absent":
        return "secret_alert.absent"
    accepted = [each.status in (None, "accepted") for each in result.suppressions or ()]
    return "secret_alert.suppressed" if accepted and all(accepted) else "secret.exposed"


def _event(run: Run, identity: str, time: int, action: str, said: Mapping[str, str]) -> Event:
    driver = run.tool.driver
    tags = {**said, "version": driver.semanticVersion or driver.version or ""}
    told_of = {name: text for name, text in tags.items() if text}
    return Event(
        id=identity,
        time=time,
        service=driver.name[:_LONGEST],
        action=action,
        outcome=Outcome.SUCCESS,
        parts=(),
        resource=next((each.repositoryUri for each in run.versionControlProvenance or () if each.repositoryUri), None),
        tags=msgspec.json.encode(told_of, order="sorted").decode() if told_of else None,
    )


def _keys(result: Result) -> tuple[str, ...]:
    """The keys of the ids of AWS access keys that a result names, each once, in order."""
    raws = [result.message, result.fingerprints, result.partialFingerprints, result.properties]
    raws += [region.snippet for region in _regions(result)]
    found = {each[0].decode(): None for raw in raws for each in KEY_ID.finditer(bytes(raw))}
    return tuple(f"aws_akid:aws:{value}" for value in found)


def _regions(result: Result) -> Iterator[Region]:
    for location in result.locations or ():
        place = location.physicalLocation
        if place is not None:
            yield from filter(None, (place.region, place.contextRegion))


def _is_secret(run: Run, result: Result) -> bool:
    """Whether a result is about a secret: by its tool, by its own tags, or by those of its rule."""
    name = run.tool.driver.name.lower()
    if any(word in name for word in _SCANNERS):
        return True
    rule = next((each for each in run.tool.driver.rules or () if each.id and each.id == _rule_id(run, result)), None)
    bags = (_bag(result.properties), rule.properties if rule else None)
    return any(tag.lower() in _TELLING for bag in bags if bag for tag in bag.tags or ())


def _rule_id(run: Run, result: Result) -> str | None:
    """The id of a result's rule: given, or by its place in the list of the tool's rules."""
    given = result.ruleId or (result.rule.id if result.rule else None)
    place = result.ruleIndex if result.ruleIndex is not None else result.rule.index if result.rule else None
    rules = run.tool.driver.rules or []
    return given or (rules[place].id if place is not None and 0 <= place < len(rules) else None)


def _bag(raw: msgspec.Raw) -> Tags | None:
    """A property bag; nothing where its members are of types of the tool's own."""
    try:
        return _TAGS.decode(raw)
    except msgspec.ValidationError:
        return None


def _place(run: Run, result: Result) -> str | None:
    """File and line of the first location."""
    place = next((each.physicalLocation for each in result.locations or () if each.physicalLocation), None)
    name = _address(run, place.artifactLocation) if place else None
    if place is None or not name:
        return None
    line = place.region.startLine if place.region else None
    return name[:_LONGEST] + (f":{line}" if line is not None else "")


def _address(run: Run, artifact: Artifact | None) -> str | None:
    if artifact is None or artifact.uri or artifact.index is None:
        return artifact.uri if artifact else None
    listed = run.artifacts or []
    entry = listed[artifact.index] if 0 <= artifact.index < len(listed) else None
    return entry.location.uri if entry and entry.location else None


def _scanned(run: Run) -> int | None:
    """When the run ended, else began, else the state of the repository that it looked at."""
    ends = _moments(each.endTimeUtc for each in run.invocations or ())
    starts = _moments(each.startTimeUtc for each in run.invocations or ())
    states = _moments(each.asOfTimeUtc for each in run.versionControlProvenance or ())
    return max(ends or starts or states, default=None)


def _own_times(result: Result) -> list[int]:
    bags = [bag for raw in (result.partialFingerprints, result.properties) if (bag := _bag(raw)) is not None]
    first = result.provenance.firstDetectionTimeUtc if result.provenance else None
    return _moments((first, *(bag.date for bag in bags)))


def _moments(texts: Iterable[str | None]) -> list[int]:
    """The times among some texts: tools write dates in ways of their own, and such a date says nothing here."""
    found = []
    for text in texts:
        try:
            if text:
                found.append(moments.rfc3339(text, "$"))
        except SourceError:
            continue
    return found
