"""Allowed signers: whose a key is, as ssh-keygen(1) says and as ssh-keygen does."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import LogError
from custody.ledger.allowed_signers import MAX_FILE, matches, parse
from custody.model.times import microseconds

FOLDER = Path(__file__).parent / "sshsig"
PUBLIC = (FOLDER / "ed25519.pub").read_text().strip()
KEY = base64.b64decode(PUBLIC.split()[1])
OTHER = (FOLDER / "ecdsa-256.pub").read_text().strip()
SPACE = "custody-register"
NOON = "2026-11-22T12:00:00Z"


def at(moment: str) -> int:
    return microseconds(moment) or 0


def names(text: str, *, moment: str = NOON, space: str = SPACE, key: bytes = KEY) -> tuple[str, ...]:
    return parse(text.encode(), "signers").principals(key, space, at(moment))


CASES = [
    (f"ann@example.com {PUBLIC}", ["ann@example.com"]),
    (f"ann@example.com,bob@example.com {PUBLIC} a comment", ["ann@example.com", "bob@example.com"]),
    (f"# somebody\n\n   \n\tann@example.com\t{PUBLIC}\n", ["ann@example.com"]),
    (f"bob@example.com {OTHER}\nann@example.com {PUBLIC}\n", ["ann@example.com"]),
    (f"bob@example.com {OTHER}\n", []),
    (f'"Ann Example" {PUBLIC}', ["Ann Example"]),
    (f'ann@example.com namespaces="{SPACE}" {PUBLIC}', ["ann@example.com"]),
    (f'ann@example.com NAMESPACES="git,custody-*" {PUBLIC}', ["ann@example.com"]),
    (f'ann@example.com namespaces="git" {PUBLIC}', []),
    (f'ann@example.com namespaces="custody-*,!{SPACE}" {PUBLIC}', []),
    (f'ann@example.com namespaces="" {PUBLIC}', []),
    (f'ann@example.com valid-after="20261122120000Z" {PUBLIC}', ["ann@example.com"]),
    (f'ann@example.com valid-after="20261122120001Z" {PUBLIC}', []),
    (f'ann@example.com valid-before="20261122120000Z" {PUBLIC}', ["ann@example.com"]),
    (f'ann@example.com valid-before="20261122115959Z" {PUBLIC}', []),
    (f'ann@example.com valid-before="202611221200" {PUBLIC}', ["ann@example.com"]),
    (f'ann@example.com valid-after="20261122",valid-before="20261123" {PUBLIC}', ["ann@example.com"]),
    (f'ann@example.com valid-before="20261122" {PUBLIC}', []),
    (f'ann@example.com namespaces="{SPACE}",valid-before="20270101Z"   {PUBLIC}', ["ann@example.com"]),
    (f"!ann@example.com,ann@example.com,bob@example.com {PUBLIC}", ["bob@example.com"]),
    (f"ann@example.com,!*@example.com {PUBLIC}", []),
    (f"ann@example.com cert-authority {PUBLIC}", []),
]
"""A file, and the names that it gives to the key for the namespace at noon."""


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_whose_the_key_is(text: str, expected: list[str]) -> None:
    assert list(names(text)) == expected


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
@pytest.mark.parametrize(("text", "expected"), CASES)
def test_ssh_keygen_says_the_same(text: str, expected: list[str], tmp_path: Path) -> None:
    """In the zone UTC, name by name: one that it accepts is one that we give, and none else is."""
    (tmp_path / "signers").write_text(text)
    for name in ("ann@example.com", "bob@example.com", "Ann Example", "eve@example.com"):
        done = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", tmp_path / "signers", "-I", name, "-n", SPACE,
             "-s", FOLDER / "ed25519.sig", "-O", "verify-time=20261122120000Z"],
            input=(FOLDER / "message.txt").read_bytes(), capture_output=True, check=False,
            env={**os.environ, "TZ": "UTC"},
        )  # fmt: skip
        assert (done.returncode == 0) == (name in expected), (name, done.stderr)


def test_a_pattern_is_no_name() -> None:
    """ssh-keygen would take any name of example.com for the signer's: that says nothing of who it is."""
    assert names(f"*@example.com {PUBLIC}") == ()
    assert names(f"ann?@example.com,carl@example.com {PUBLIC}") == ("carl@example.com",)
    reason = parse(f"*@example.com {PUBLIC}".encode(), "signers").why_not(KEY, SPACE, at(NOON))
    assert reason == "line 1: it gives patterns only, and a pattern is no name"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"a {OTHER}", "no line has this key"),
        (f'a namespaces="git" {PUBLIC}', "line 1: it is not for namespace custody-register"),
        (f'\na valid-after="20270101Z" {PUBLIC}', "line 2: it is valid after 2027-01-01T00:00:00Z"),
        (f'a valid-before="20250101Z" {PUBLIC}', "line 1: it was valid before 2025-01-01T00:00:00Z"),
        (f"a cert-authority {PUBLIC}", "certificates are not supported"),
    ],
)
def test_why_a_key_is_nobodys_is_said(text: str, reason: str) -> None:
    assert reason in parse(text.encode(), "signers").why_not(KEY, SPACE, at(NOON))


def test_names_of_several_lines_are_given_once_in_order() -> None:
    text = f'ann@example.com {PUBLIC}\nx valid-before="20200101Z" {PUBLIC}\ncarl,ann@example.com {PUBLIC}\n'

    assert names(text) == ("ann@example.com", "carl")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ann@example.com", "not a line"),
        (f'"ann {PUBLIC}', "not a line"),
        (f"ann colour {PUBLIC}", "not an option or key.*found colour"),
        (f"ann namespaces=git {PUBLIC}", "not an option"),
        (f'ann cert-authority="x" {PUBLIC}', "not an option"),
        (f'ann namespaces="a",namespaces="b" {PUBLIC}', "given twice"),
        (f'ann namespaces="a",  {PUBLIC}', "not an option"),
        (f'ann valid-after="2026" {PUBLIC}', "valid-after is not a time"),
        (f'ann valid-before="20261301Z" {PUBLIC}', "valid-before is not a time"),
        (f'ann valid-after="20260101",valid-before="20260101" {PUBLIC}', "not after"),
        ("ann ssh-ed25519 AAAA!", "not a public key"),
        ("ann ssh-ed25519", "not a public key"),
        (f"ann ecdsa-sha2-nistp256 {PUBLIC.split()[1]}", "another type"),
        (f"ann\x01 {PUBLIC}", "control character"),
        ("# a comment\0", "control character"),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error_with_its_place(line: str, said: str) -> None:
    with pytest.raises(LogError, match=said) as error:
        parse(f"# first\n{line}\n".encode(), "allowed_signers")
    assert error.value.where == "allowed_signers:2"


def test_what_is_no_such_file_is_refused() -> None:
    for data in (b"\xff\xfe", b"#" * (MAX_FILE + 1)):
        with pytest.raises(LogError):
            parse(data, "signers")


@pytest.mark.parametrize(
    ("text", "patterns", "expected"),
    [
        ("ann", "ann", True),
        ("ann", "a*", True),
        ("ann", "a?n", True),
        ("ann", "Ann", False),
        ("ann", "*,!ann", False),
        ("ann", "!bob", False),
        ("a[n]", "a[n]", True),
        ("an", "a[n]", False),
        ("", "*", True),
    ],
)
def test_pattern_lists_are_those_of_ssh(text: str, patterns: str, expected: bool) -> None:
    assert matches(text, tuple(patterns.split(","))) is expected


@given(st.text(max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse(text.encode("utf-8", "surrogatepass"), "signers")
    except LogError:
        return
    assert all(line.key for line in found.lines)
