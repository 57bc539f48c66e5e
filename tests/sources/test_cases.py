"""Every source against its cases: ``NAME.json`` is the record, ``NAME.expected.json`` what it must give.

Adding a case is adding the two files to ``tests/cases/<source with underscores>/``. A record of text is ``NAME.txt``
or ``NAME.csv``. ``form`` in the expected file says in which form the record stood, ``delivered`` without it.
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


def records(source: Source) -> list[Path]:
    return sorted(
        path
        for path in folder(source).glob("*")
        if path.suffix in (".json", ".txt", ".csv") and not path.name.endswith(".expected.json")
    )


COLLECTED = [
    pytest.param(source, path, id=f"{source.name}:{path.stem}") for source in sources() for path in records(source)
]


def expectation(path: Path) -> dict[str, object]:
    found = msgspec.json.decode(path.with_suffix(".expected.json").read_bytes())
    assert isinstance(found, dict)
    return found


def form_of(path: Path) -> str:
    return str(expectation(path).get("form", "delivered"))


def bytes_of(path: Path) -> bytes:
    return path.read_bytes().removesuffix(b"\n")


def told(value: object) -> object:
    """``value`` as plain data without what is absent."""
    plain = msgspec.to_builtins(value)
    assert isinstance(plain, dict)
    return {
        name: [told(part) for part in entry] if name == "parts" else entry
        for name, entry in plain.items()
        if entry is not None and entry is not False
    }


def outcome(source: Source, raw: bytes, form: str) -> dict[str, object]:
    identity = source.identify(raw)
    assert identity is not None
    result: dict[str, object] = {"id": identity.id, "secrets": [span.secret for span in identity.secrets]}
    if identity.withheld:
        result["withheld"] = True
    read = source.read(mask(raw, identity.secrets), form)
    if isinstance(read, Skip):
        return {**result, "skip": read.reason, "detail": read.detail}
    return {**result, "events": [told(event) for event in read]}


@pytest.mark.parametrize(("source", "path"), COLLECTED)
def test_case(source: Source, path: Path) -> None:
    expected = expectation(path)
    expected.pop("form", None)
    assert source.recognise(bytes_of(path))
    assert outcome(source, bytes_of(path), form_of(path)) == expected


@pytest.mark.parametrize(("source", "path"), COLLECTED)
def test_no_other_source_takes_a_record_for_its_own(source: Source, path: Path) -> None:
    raw = bytes_of(path)
    takers = [one.name for one in sources() if one.recognise(raw) and one.identify(raw) is not None]
    assert takers == [source.name]


@pytest.mark.parametrize(("source", "path"), COLLECTED)
def test_original_and_kept_copy_read_the_same(source: Source, path: Path) -> None:
    raw = bytes_of(path)
    identity = source.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)
    original, copy = source.read(raw, form_of(path)), source.read(kept, form_of(path))
    if path.stem == "secret_in_agent":  # the one client text that is masked whole
        assert isinstance(original, tuple)
        assert isinstance(copy, tuple)
        assert copy[0].agent == "custody-masked:token"
        original = (msgspec.structs.replace(original[0], agent=copy[0].agent),)
    assert original == copy


@pytest.mark.parametrize(("source", "path"), COLLECTED)
def test_no_secret_of_a_case_is_kept(source: Source, path: Path) -> None:
    raw = bytes_of(path)
    identity = source.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)
    assert MUST_GO not in kept
    assert path.suffix != ".json" or msgspec.json.decode(kept) is not None
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
    assert source.time_resolution > 0
    assert source.delivery_delay > 0


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_no_expected_output_is_without_its_record(source: Source) -> None:
    expected = {path.name.removesuffix(".expected.json") for path in folder(source).glob("*.expected.json")}
    given = {path.stem for path in records(source)}
    assert expected == given


def test_lookup_events_gives_the_same_event_as_the_delivered_record(cases: Path) -> None:
    source = next(source for source in sources() if source.name == "aws.cloudtrail")
    read: list[tuple[Event, ...] | Skip] = [
        source.read((cases / "aws_cloudtrail" / name).read_bytes().rstrip(b"\n"), form)
        for name, form in (("assume_role.json", "delivered"), ("lookup_events.json", "lookup-events"))
    ]
    assert isinstance(read[0], tuple)
    assert read[0] == read[1]
