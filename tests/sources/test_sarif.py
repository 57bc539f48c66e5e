"""SARIF files as scanners write them: cut into runs, with nothing of what was found left in what is kept."""

import json
import random

import pytest

from custody.model.events import Skip
from custody.pipeline.intake import wrappings_of
from custody.readers.content import Content
from custody.readers.framing import frame
from custody.sources.masking import mask
from custody.sources.registry import sources
from custody.sources.sarif import SOURCE, texts

SECRET = "must-not-stay"
KEY = "AKIA0000000000LEAKED"
ENDED = [{"endTimeUtc": "2026-01-06T04:00:00Z"}]


def run(*results: object, **more: object) -> dict[str, object]:
    return {"tool": {"driver": {"name": "gitleaks"}}, "invocations": ENDED, "results": list(results), **more}


def kept(raw: bytes) -> bytes:
    identity = SOURCE.identify(raw)
    assert identity is not None
    assert not identity.withheld
    return mask(raw, identity.secrets)


def framed(document: object) -> list[tuple[str, bytes | None]]:
    data = json.dumps(document, indent=2).encode()
    return [(each.form, each.raw) for each in frame(Content.of(data), wrappings_of(sources()))]


def test_every_run_of_a_file_is_a_record() -> None:
    document = {"$schema": "https://example.com/sarif-2.1.0.json", "version": "2.1.0", "runs": [run(), run({})]}

    assert [form for form, _ in framed(document)] == ["sarif", "sarif"]
    assert [form for form, _ in framed(dict(reversed(document.items())))] == ["sarif", "sarif"]


def test_an_array_called_runs_alone_is_no_sarif() -> None:
    assert [form for form, _ in framed({"runs": [{"id": 1}, {"id": 2}], "total": 2})] == ["document"]


@pytest.mark.parametrize(
    "result",
    [
        {"message": {"text": SECRET, "markdown": SECRET, "arguments": [SECRET], "id": SECRET}},
        {"locations": [{"physicalLocation": {"region": {"snippet": {"text": SECRET, "rendered": {"text": SECRET}}}}}]},
        {"properties": {"secret": SECRET, "list": [[SECRET]], "tags": ["x"], "nested": {"tags": [SECRET]}}},
        {"fingerprints": {"a": SECRET}, "partialFingerprints": {"b/v1": SECRET, "commitMessage": SECRET}},
        {"fixes": [{"artifactChanges": [{"replacements": [{"insertedContent": {"text": SECRET}}]}]}]},
        {"codeFlows": [{"threadFlows": [{"locations": [{"location": {"message": {"text": SECRET}}}]}]}]},
        {"webRequest": {"headers": {"authorization": SECRET}, "body": {"text": SECRET}}, "hostedViewerUri": SECRET},
        {"relatedLocations": [{"physicalLocation": {"artifactLocation": {"uri": SECRET}}}]},
        {"rule\\u0049d": SECRET, "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a"}}}]},
    ],
)
def test_nothing_is_kept_of_what_was_found_wherever_it_stands(result: object) -> None:
    raw = json.dumps(run(result, commandLine=SECRET)).replace("\\\\u", "\\u").encode()
    copy = kept(raw)

    assert SECRET.encode() not in copy
    assert json.loads(copy)
    assert SOURCE.read(raw, "sarif") == SOURCE.read(copy, "sarif")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (KEY, [KEY]),
        (f"id={KEY}{SECRET}", [KEY]),
        (f"{SECRET}{KEY}\\n{KEY}", [KEY]),
        (f"x{KEY}X", []),
        (KEY.lower(), []),
        (f"\\u0041{KEY[1:]}", []),
        (f"\\u00e4{KEY}\\u0026{KEY}", [KEY]),
        (f"secret key = {KEY}", [KEY]),
        (f"ASIA{'Z' * 16}", [f"ASIA{'Z' * 16}"]),
    ],
)
def test_only_the_id_of_a_key_stays(text: str, found: list[str]) -> None:
    raw = json.dumps(run({"ruleId": "r", "message": {"text": "TEXT"}})).replace("TEXT", text).encode()
    events = SOURCE.read(raw, "sarif")
    copy = kept(raw)

    assert isinstance(events, tuple)
    told = {part.key for event in events for part in event.parts if part.key}
    assert told == {f"aws_akid:aws:{one}" for one in found}
    assert SOURCE.read(copy, "sarif") == events
    assert kept(copy) == copy
    assert SECRET.encode() not in copy


def test_a_copy_cut_anywhere_raises_nothing() -> None:
    whole = json.dumps(run({"message": {"text": f"{KEY} {SECRET}"}, "properties": {"tags": ["secret"]}})).encode()
    chance = random.Random(4)

    for _ in range(200):
        at = chance.randrange(len(whole))
        broken = whole[:at] + bytes([chance.randrange(256)]) + whole[at + chance.randrange(3) :]
        identity = SOURCE.identify(broken)
        if identity is not None:
            SOURCE.read(mask(broken, identity.secrets), "sarif")


def test_indexes_that_lead_nowhere_say_nothing() -> None:
    place = {"physicalLocation": {"artifactLocation": {"index": 7}, "region": {"startLine": 2}}}
    events = SOURCE.read(json.dumps(run({"ruleIndex": 9, "locations": [{}, place]})).encode(), "sarif")

    assert isinstance(events, tuple)
    assert [part.object for part in events[0].parts] == [None]


def test_a_run_of_no_results_at_all_is_a_scan() -> None:
    events = SOURCE.read(json.dumps({"tool": {"driver": {"name": "x"}}, "invocations": ENDED}).encode(), "sarif")

    assert isinstance(events, tuple)
    assert [(event.action, event.parts) for event in events] == [("scan", ())]
    assert isinstance(SOURCE.read(b'{"tool":{"driver":{"name":5}}}', "sarif"), Skip)


def test_paths_lead_through_arrays() -> None:
    raw = b'{"a":[{"b":["x",{"c":"y"}]}],"d":"z"}'

    assert [(path, raw[start:end]) for path, start, end in texts.strings(raw)] == [
        (("a", "b"), b"x"), (("a", "b", "c"), b"y"), (("d",), b"z"),
    ]  # fmt: skip
