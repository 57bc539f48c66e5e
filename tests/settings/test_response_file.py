"""The response file: strict, and useful without anything in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.errors import UsageError
from custody.incidents.record.response import Response, digest_of, response_of, text_of
from custody.model.incidents import Item
from custody.settings.response_file import Limits, read_response_file

WHOLE = """
policies = "policies"
checklist = ["new credential", "owner signs"]
[groups]
responders = ["ann@example.com"]
approvers = ["ann@example.com", "bob@example.com"]
[people]
ann = ["ann@example.com", "ann-admin@example.com"]
[limits]
lapse = "2h"
break_glass_ttl = "1h"
second_within = "15m"
review_within = "1d"
"""


def test_a_file_says_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "response.toml"
    path.write_text(WHOLE)
    found = read_response_file(path)

    assert found.groups == {"responders": ("ann@example.com",), "approvers": ("ann@example.com", "bob@example.com")}
    assert found.people == {"ann": ("ann@example.com", "ann-admin@example.com")}
    assert found.limits == Limits(lapse=7200, break_glass_ttl=3600, second_within=900, review_within=86_400)
    assert found.checklist == (Item.NEW_CREDENTIAL, Item.OWNER_SIGNS)
    assert found.policy_folder() == tmp_path / "policies"


def test_an_empty_file_has_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "response.toml"
    path.write_text("")
    found = read_response_file(path)

    assert (found.groups, found.limits, found.checklist) == ({}, Limits(), tuple(Item))
    assert found.policy_folder() is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("colour = 1", "colour"),
        ('folder = "/"', "folder"),
        ("[groups]\napprovers = 'ann'", "groups"),
        ("[groups]\n'a b' = ['ann']", "not the name of a group"),
        ("[groups]\nleads = [' ']", "not names of people"),
        ("[people]\nann = ['a\\u0007']".replace("'", '"'), "not names of people"),
        ("[limits]\nlapse = 60", "not a duration"),
        ("[limits]\nlapse = '0m'", "not a duration"),
        ("[limits]\nlapse = 'soon'", "limits.lapse"),
        ("[limits]\nlaps = '1h'", "laps"),
        ("limits = 3", "limits"),
        ("checklist = ['everything']", "checklist"),
        ("checklist = ['owner signs', 'owner signs']", "an item twice"),
        ("x", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "response.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_response_file(path)

    assert told in f"{refused.value}"


def test_the_sealed_text_is_the_response_and_no_other_spelling_is() -> None:
    response = Response(groups={"b": ("x",), "a": ("y",)}, policies={"p.cedar": "…"}, signers="ann ssh-ed25519 AAAA\n")
    text = text_of(response)

    assert response_of(text) == response
    assert digest_of(
        Response(groups={"a": ("y",), "b": ("x",)}, policies={"p.cedar": "…"}, signers=response.signers)
    ) == (digest_of(response))
    assert response.groups_of(("x", "z")) == ("b",)
    for other in (b"", b"{}", text + b" ", text.replace(b"custody.response/1", b"custody.response/2")):
        assert response_of(other) is None
