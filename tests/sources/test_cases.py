"""Every source against its cases: ``NAME.json`` is the record, ``NAME.expected.json`` what it must give.

Adding a case is adding the two files to ``tests/cases/<source with underscores>/``.
"""

from pathlib import Path

import msgspec
import pytest

from custody.model.events import Event, Skip
from custody.sources.masking import mask
from custody.sources.registry import sources
from custody.sources.source import Source

CASES = Path(__file__).resolve().parents[1] / "cases"
MUST_GO = b"must-not-stay"


def folder(source: Source) -> Path:
    return CASES / source.name.replace(".", "_")


COLLECTED = [
    pytest.param(source, path, id=f"{source.name}:{path.stem}")
    for source in sources()
    for path in sorted(folder(source).glob("*.json"))
    if not path.name.endswith(".expected.json")
]


def told(value: object) -> object:
    """``value`` as plain data without what is absent."""
    plain = msgspec.to_builtins(value)
    assert isinstance(plain, dict)
    return {
        name: [told(part) for part in entry] if name == "parts" else entry
        for name, entry in plain.items()
        if entry is not None and entry is not False
    }


def outcome(source: Source, raw: bytes) -> dict[str, object]:
    identity = source.identify(raw)
    assert identity is not None
    result: dict[str, object] = {"id": identity.id, "secrets": [span.secret for span in identity.secrets]}
    if identity.withheld:
        result["withheld"] = True
    read = source.read(mask(raw, identity.secrets), "delivered")
    if isinstance(read, Skip):
        return {**result, "skip": read.reason, "detail": read.detail}
    return {**result, "events": [told(event) for event in read]}


@pytest.mark.parametrize(("source", "path"), COLLECTED)
def test_case(source: Source, path: Path) -> None:
    expected = msgspec.json.decode(path.with_suffix(".expected.json").read_bytes())
    assert outcome(source, path.read_bytes().rstrip(b"\n")) == expected


@pytest.mark.parametrize(("source", "path"), COLLECTED)
def test_original_and_kept_copy_read_the_same(source: Source, path: Path) -> None:
    raw = path.read_bytes().rstrip(b"\n")
    identity = source.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)
    original, copy = source.read(raw, "delivered"), source.read(kept, "delivered")
    if path.stem == "secret_in_agent":  # the one client text that is masked whole
        assert isinstance(original, tuple)
        assert isinstance(copy, tuple)
        assert copy[0].agent == "custody-masked:token"
        original = (msgspec.structs.replace(original[0], agent=copy[0].agent),)
    assert original == copy


@pytest.mark.parametrize(("source", "path"), COLLECTED)
def test_no_secret_of_a_case_is_kept(source: Source, path: Path) -> None:
    raw = path.read_bytes().rstrip(b"\n")
    identity = source.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)
    assert MUST_GO not in kept
    assert msgspec.json.decode(kept) is not None
    again = source.identify(kept)
    assert again is not None
    assert mask(kept, again.secrets) == kept
    assert again.id == identity.id


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_source_has_cases_and_says_what_it_is(source: Source) -> None:
    assert len(list(folder(source).glob("*.expected.json"))) >= 1
    assert source.title
    assert source.proves
    assert source.enable
    assert source.wrappings
    assert source.time_resolution > 0
    assert source.delivery_delay > 0


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_no_expected_output_is_without_its_record(source: Source) -> None:
    expected = {path.name.removesuffix(".expected.json") for path in folder(source).glob("*.expected.json")}
    given = {path.stem for path in folder(source).glob("*.json") if not path.name.endswith(".expected.json")}
    assert expected == given


def test_lookup_events_gives_the_same_event_as_the_delivered_record(cases: Path) -> None:
    source = next(source for source in sources() if source.name == "aws.cloudtrail")
    read: list[tuple[Event, ...] | Skip] = [
        source.read((cases / "aws_cloudtrail" / name).read_bytes().rstrip(b"\n"), form)
        for name, form in (("assume_role.json", "delivered"), ("lookup_events.json", "lookup-events"))
    ]
    assert isinstance(read[0], tuple)
    assert read[0] == read[1]
