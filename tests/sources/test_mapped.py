"""Sources described by mapping files: their cases, what is wrong with a file, and the paths.

A case is a folder of ``tests/cases/mapped``: ``mapping.yaml`` or ``mapping.json``, and records beside what they give.
"""

import base64
import pickle
from pathlib import Path

import msgspec
import pytest

from custody.errors import UsageError
from custody.model.events import Asserter, Event, Part, Skip
from custody.sources.mapped import paths, source_of
from custody.sources.mapped.file import parse_mapping, read_mapping
from custody.sources.mapped.mapping import Mapping
from custody.sources.masking import mask
from custody.sources.registry import sources
from custody.sources.source import Source

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[1] / "cases/mapped").glob("*/mapping.*"))
RECORDS = [
    path
    for folder in FOLDERS
    for path in sorted(folder.glob("*"))
    if not path.name.endswith(".expected.json") and path.stem != "mapping"
]


def mapping_of(folder: Path) -> Mapping:
    (path,) = folder.glob("mapping.*")
    return read_mapping(path)[0]


def source(path: Path) -> Source:
    return source_of(mapping_of(path.parent))


def told(value: object) -> object:
    plain = msgspec.to_builtins(value)
    return {
        name: [told(part) for part in entry] if name == "parts" else entry
        for name, entry in plain.items()
        if entry is not None and entry is not False
    }


each_record = pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.name}-{path.stem}")


@each_record
def test_case(path: Path) -> None:
    raw, described = path.read_bytes().rstrip(b"\n"), source(path)
    identity = described.identify(raw)
    assert identity is not None
    assert identity.scheme == mapping_of(path.parent).scheme
    found: dict[str, object] = {"id": identity.id, "secrets": [span.secret for span in identity.secrets]}
    if identity.withheld:
        found["withheld"] = True
    read = described.read(mask(raw, identity.secrets), "lines")
    if isinstance(read, Skip):
        found |= {"skip": read.reason, "detail": read.detail}
    else:
        found["events"] = [told(event) for event in read]
    assert found == msgspec.json.decode(path.with_suffix(".expected.json").read_bytes())


@each_record
def test_the_kept_copy_reads_as_the_original_and_holds_no_secret(path: Path) -> None:
    raw, described = path.read_bytes().rstrip(b"\n"), source(path)
    identity = described.identify(raw)
    assert identity is not None
    kept = mask(raw, identity.secrets)
    assert b"must-not-stay" not in kept
    assert described.read(kept, "lines") == described.read(raw, "lines")
    again = described.identify(kept)
    assert again is not None
    assert (again.id, mask(kept, again.secrets)) == (identity.id, kept)


@each_record
def test_nobody_else_takes_the_record(path: Path) -> None:
    raw = path.read_bytes().rstrip(b"\n")
    mappings = tuple(mapping_of(folder) for folder in FOLDERS)
    takers = [one.name for one in sources(mappings) if one.recognise(raw) and one.identify(raw) is not None]
    assert takers == [f"mapped.{path.parent.name}"]


def test_mapped_sources_stand_behind_the_others_and_can_be_sent_to_workers() -> None:
    mappings = tuple(mapping_of(folder) for folder in FOLDERS)
    assert pickle.loads(pickle.dumps(mappings)) == mappings
    known = sources(mappings)
    assert [one.name for one in known[: -len(mappings)]] == [one.name for one in sources()]
    assert [one.name for one in known[-len(mappings) :]] == ["mapped.broker", "mapped.gateway", "mapped.lines"]
    assert [len(one.wrappings) for one in known[-len(mappings) :]] == [0, 1, 0]
    assert [len(one.texts) for one in known[-len(mappings) :]] == [0, 0, 1]


def test_two_mappings_of_one_name_are_refused() -> None:
    first = mapping_of(FOLDERS[0])
    with pytest.raises(UsageError, match="two sources have one name"):
        sources((first, msgspec.structs.replace(first, title="another")))


def test_the_fingerprint_in_base64_is_the_one_in_hex() -> None:
    """RFC 8705's ``x5t#S256`` is how a token names its certificate, hex how a gateway does."""
    record = msgspec.json.decode((FOLDERS[0] / "issue.json").read_bytes())
    (event,) = read(FOLDERS[0] / "issue.json")
    digest = base64.urlsafe_b64decode(record["grant"]["bound_to"] + "=").hex()
    assert event.parts[0].parent == f"x509_sha256:x509:{digest}"


def read(path: Path) -> tuple[Event, ...]:
    events = source(path).read(path.read_bytes().rstrip(b"\n"), "lines")
    assert not isinstance(events, Skip)
    return events


MINIMAL = """custody-mapping: 1
name: x
match: {a: b}
time: t
outcome: {value: success}
"""


def of(more: str) -> Mapping:
    return parse_mapping((MINIMAL + more).encode(), "x.yaml")


def parts_of(more: str, **fields: object) -> tuple[Part, ...]:
    record = {"a": "b", "t": "2026-01-05T10:00:00Z", "id": "i-1", **fields}
    events = source_of(of(more)).read(msgspec.json.encode(record), "lines")
    assert not isinstance(events, Skip)
    return events[0].parts


@pytest.mark.parametrize(
    ("asserter", "stage", "expected"),
    [
        ("issuer", "issue", None),
        ("issuer", "revoke", None),
        ("issuer", "use", Asserter.SELF_REPORTED),
        ("issuer", "start", None),
        ("verifier", "use", None),
        ("verifier", "issue", Asserter.SELF_REPORTED),
        ("self-reported", "issue", Asserter.SELF_REPORTED),
        ("client", "use", Asserter.CLIENT),
        ("declared", "approve", Asserter.DECLARED),
    ],
)
def test_an_issuer_vouches_for_issues_and_a_verifier_for_uses(
    asserter: str, stage: str, expected: Asserter | None
) -> None:
    key = "{type: ssh_key, scope: {value: s}, path: id}"
    (part,) = parts_of(f"asserter: {asserter}\nparts: [{{stage: {stage}, key: {key}}}]\n")
    assert part.asserter is expected


def test_without_a_word_about_it_a_log_reports_of_itself() -> None:
    (part,) = parts_of("parts: [{stage: issue, key: {type: ssh_key, scope: {value: s}, path: id}}]\n")
    assert part.asserter is Asserter.SELF_REPORTED


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("text", "A:b", "A:b"),
        ("lower", "AbC", "abc"),
        ("hex", "00:0A:bc", "abc"),
        ("hex", "xyz", None),
        ("hex", "0", None),
        ("decimal", "4096", "1000"),
        ("decimal", "0", None),
        ("decimal", "-1", None),
        ("sha256", "AB" * 32, "ab" * 32),
        ("sha256", "ab", None),
        ("base64", base64.b64encode(b"\x01" * 32).decode(), "01" * 32),
        ("base64", "AQ==", None),
        ("base64", "!", None),
        ("spiffe", "https://example.org/shop", None),
        ("spiffe", "spiffe://example.org", None),
    ],
)
def test_forms_of_keys(form: str, value: str, expected: str | None) -> None:
    more = f"parts: [{{stage: use, key: {{type: ssh_key, scope: {{value: s}}, path: id, form: {form}}}}}]\n"
    read = source_of(of(more)).read(msgspec.json.encode({"a": "b", "t": "2026-01-05T10:00:00Z", "id": value}), "lines")
    if expected is None:
        assert isinstance(read, Skip)
        assert read.reason == "malformed"
    else:
        assert not isinstance(read, Skip)
        assert [part.key for part in read[0].parts] == [f"ssh_key:s:{expected}"]


def test_a_masked_value_makes_no_key() -> None:
    """Else everybody's password would be one credential."""
    more = "parts: [{stage: use, key: {type: ssh_key, scope: {value: s}, path: password}}]\n"
    assert parts_of(more, password="must-not-stay") == ()


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("seconds", 1767607200, 1767607200_000000),
        ("seconds", "1767607200.25", 1767607200_250000),
        ("milliseconds", 1767607200123, 1767607200_123000),
        ("nanoseconds", 1767607200123456789, 1767607200_123456),
        ("rfc3339", "2026-01-05T10:00:00,5Z", 1767607200_500000),
        ("seconds", "soon", None),
        ("seconds", True, None),
        ("nanoseconds", 12, None),
    ],
)
def test_forms_of_times(form: str, value: object, expected: int | None) -> None:
    text = MINIMAL.replace("time: t", f"time: {{path: t, format: {form}}}")
    read = source_of(parse_mapping(text.encode(), "x")).read(msgspec.json.encode({"a": "b", "t": value}), "lines")
    assert (None if isinstance(read, Skip) else read[0].time) == expected


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b_c", ("a", "b_c")),
        ('["a.b"].c', ("a.b", "c")),
        ('a["b c"]', ("a", "b c")),
        ("a[*].b", ("a", None, "b")),
        ("a[*][*]", ("a", None, None)),
        ("@timestamp", ("@timestamp",)),
        ("x-request-id", ("x-request-id",)),
    ],
)
def test_paths(text: str, steps: tuple[str | None, ...]) -> None:
    found = paths.parse(text)
    assert found is not None
    assert found.steps == steps


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "[*]", "a[0]", "a.[*]", "a[b]", "a b", "a.*", "$(x)", "a.b" * 40]
)
def test_no_paths(text: str) -> None:
    assert paths.parse(text) is None


def test_several_values_that_nothing_tells_apart_are_none() -> None:
    path = paths.parse("a[*].b")
    assert path is not None
    assert paths.one({"a": [{"b": 1}]}, path) == "1"
    assert paths.one({"a": [{"b": 1}, {"b": 2}]}, path) is None
    assert paths.one({"a": {"b": 1}}, path) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no mapping"),
        ("- a", "no mapping"),
        ("name: x\nmatch: {a: b}\ntime: t\noutcome: {value: success}", "x.yaml:1:1: not a mapping"),
        (MINIMAL.replace("1\n", "2\n", 1), "x.yaml:1:18: bad value for custody-mapping"),
        (MINIMAL.replace("time: t\n", ""), "no time"),
        (MINIMAL.replace("match: {a: b}", "match: {}"), "x.yaml:3:8: bad value for match"),
        (MINIMAL.replace("match: {a: b}", "match: {a: {}}"), "x.yaml:3:12: bad value for match"),
        (MINIMAL.replace("name: x", "name: My Log"), "x.yaml:2:7: bad value for name"),
        (MINIMAL + "colour: red", "x.yaml:6:1: an unknown field"),
        (MINIMAL + "id: a..b", "x.yaml:6:5: not a path"),
        (MINIMAL + "asserter: me", "x.yaml:6:11: bad value for asserter"),
        (MINIMAL + "secrets: a", "x.yaml:6:10: bad value for secrets"),
        (MINIMAL + "secrets: [a]", "x.yaml:3:8: match rests on a secret"),
        (MINIMAL + "id: s.id\nsecrets: [s]", "x.yaml:6:5: id rests on a secret"),
        (MINIMAL + "principal: user", "x.yaml:6:12: not a key"),
        (MINIMAL + "principal: {type: persona, path: u}", "x.yaml:6:19: bad value for type"),
        (MINIMAL + "principal: {type: person, path: u}", "x.yaml:6:12: a key of type person has no scope"),
        (MINIMAL + "parts: [{stage: use}]", "x.yaml:6:9: a part has no key"),
        (MINIMAL + "parts: [{key: {type: aws_akid, path: k}}]", "x.yaml:6:9: a part has no stage"),
        (MINIMAL + "parts: [{stage: used, key: {type: aws_akid, path: k}}]", "x.yaml:6:17: bad value for stage"),
        (MINIMAL.replace("{value: success}", "{value: fine}"), "x.yaml:5:18: bad value for value"),
        (MINIMAL.replace("{value: success}", "{path: r, success: [a], denied: [a]}"), "a value of two outcomes"),
        (MINIMAL.replace("time: t", "time: {path: t, format: days}"), "x.yaml:4:25: bad value for format"),
        (MINIMAL + "name: y", "x.yaml:6:1: a duplicate key"),
        (MINIMAL + "title: &a b", "an anchor"),
        (MINIMAL + "service: {}", "a text has neither value nor path"),
    ],
)
def test_what_is_wrong_with_a_file_and_where(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_mapping(text.encode(), "x.yaml")
    assert message in str(caught.value)
    assert caught.value.where.startswith("x.yaml:")


def test_everything_that_is_wrong_comes_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        parse_mapping((MINIMAL + "colour: red\nid: a..b\nasserter: me").encode(), "x.yaml")
    assert str(caught.value).splitlines()[0].endswith("3 problems in the mapping")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()[1:]] == [
        "x.yaml:6:1",
        "x.yaml:7:5",
        "x.yaml:8:11",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the mapping"):
        read_mapping(tmp_path / "none.yaml")


def test_another_mapping_is_another_scheme() -> None:
    assert of("").scheme != of("# a comment").scheme
    assert of("").scheme == f"mapped/{of('').digest[:16]}"


def test_the_example_of_the_documentation_is_a_mapping() -> None:
    text = (Path(__file__).parents[2] / "docs/sources/mapped.md").read_text("utf-8")
    example = text.partition("## Example\n")[2].partition("The file is YAML")[0]
    mapping = parse_mapping("\n".join(line[4:] for line in example.splitlines()).encode(), "mapped.md")
    assert mapping.name == "broker"
    assert [part.stage.value for part in mapping.parts] == ["issue", "use"]
