# ruff: noqa: N815 - fields have the names that they have in the log
"""The members of a SARIF run that custody reads, as types (SARIF 2.1.0, sections 3.14, 3.18, 3.20, 3.27 and 3.48).

Bags whose shape is the tool's own (``properties``, fingerprints, messages) stay raw: key ids are looked for in them.
"""

import msgspec

NOTHING = msgspec.Raw(b"null")


class Tags(msgspec.Struct, frozen=True, gc=False):
    """A property bag as far as it has tags, and what scanners of repositories put there."""

    tags: list[str] | None = None
    commit: str | None = None
    commitSha: str | None = None
    date: str | None = None


class Rule(msgspec.Struct, frozen=True, gc=False):
    """A reporting descriptor."""

    id: str | None = None
    properties: Tags | None = None


class Driver(msgspec.Struct, frozen=True, gc=False):
    """The tool component that did the work."""

    name: str
    version: str | None = None
    semanticVersion: str | None = None
    rules: list[Rule] | None = None


class Tool(msgspec.Struct, frozen=True, gc=False):
    """The tool."""

    driver: Driver


class Invocation(msgspec.Struct, frozen=True, gc=False):
    """When the tool ran."""

    startTimeUtc: str | None = None
    endTimeUtc: str | None = None


class Repository(msgspec.Struct, frozen=True, gc=False):
    """The version-controlled sources that were looked at."""

    repositoryUri: str | None = None
    revisionId: str | None = None
    asOfTimeUtc: str | None = None


class Artifact(msgspec.Struct, frozen=True, gc=False):
    """A file, by its address or by its place in the run's list of artifacts."""

    uri: str | None = None
    index: int | None = None


class Listed(msgspec.Struct, frozen=True, gc=False):
    """An entry of the run's list of artifacts."""

    location: Artifact | None = None


class Region(msgspec.Struct, frozen=True, gc=False):
    """Where in a file."""

    startLine: int | None = None
    snippet: msgspec.Raw = NOTHING


class Physical(msgspec.Struct, frozen=True, gc=False):
    """A place in a file."""

    artifactLocation: Artifact | None = None
    region: Region | None = None
    contextRegion: Region | None = None


class Location(msgspec.Struct, frozen=True, gc=False):
    """A location of a result."""

    physicalLocation: Physical | None = None


class Provenance(msgspec.Struct, frozen=True, gc=False):
    """When a result was first seen, as the tool keeps it."""

    firstDetectionTimeUtc: str | None = None


class Suppression(msgspec.Struct, frozen=True, gc=False):
    """That people looked at a result and set it aside; without a status it was accepted."""

    status: str | None = None


class RuleRef(msgspec.Struct, frozen=True, gc=False):
    """The rule of a result, by id or by its place."""

    id: str | None = None
    index: int | None = None


class Result(msgspec.Struct, frozen=True, gc=False):
    """One result."""

    ruleId: str | None = None
    ruleIndex: int | None = None
    rule: RuleRef | None = None
    kind: str | None = None
    baselineState: str | None = None
    message: msgspec.Raw = NOTHING
    locations: list[Location] | None = None
    fingerprints: msgspec.Raw = NOTHING
    partialFingerprints: msgspec.Raw = NOTHING
    properties: msgspec.Raw = NOTHING
    provenance: Provenance | None = None
    suppressions: list[Suppression] | None = None


class Run(msgspec.Struct, frozen=True, gc=False):
    """One run of a tool."""

    tool: Tool
    results: list[Result] | None = None
    invocations: list[Invocation] | None = None
    versionControlProvenance: list[Repository] | None = None
    artifacts: list[Listed] | None = None
