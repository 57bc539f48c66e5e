"""What makes text of logs fit to be shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.reports.safe import cleaned, plain, shortened, width
from tests.reports.hostile import HIDDEN, text
from tests.reports.sample_chains import HOSTILE, hostile_chain


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text, ünïcödé and 漢字", "plain text, ünïcödé and 漢字"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\tb\nc\rd\x00", "a\\x09b\\x0ac\\x0dd\\x00"),
        ("\x7f", "\\x7f"),
        ("\u202egpj.exe\u2066", "\\u202egpj.exe\\u2066"),
        ("zero\u200bwidth\u200d\ufeff", "zero\\u200bwidth\\u200d\\ufeff"),
        ("soft\xadhyphen", "soft\\xadhyphen"),
        ("no\xa0break\u3000wide", "no\\xa0break\\u3000wide"),
        ("line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"),
        ("\ud800", "\\ud800"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\ue000\U0010fffd", "\\ue000\\U0010fffd"),
        ("filler\u3164\u115f\u2800", "filler\\u3164\\u115f\\u2800"),
        ("variant\ufe0f\U000e0101", "variant\\ufe0f\\U000e0101"),
        ("e\u0301\u0301", "e\u0301\u0301"),
        ("e\u0301\u0301\u0301", "e\u0301\u0301\\u0301"),
        ("C:\\x1b", "C:\\x1b"),
    ],
)
def test_what_is_not_visibly_itself_is_written_as_an_escape(raw: str, shown: str) -> None:
    assert plain(raw) == shown


@given(text)
def test_plain_text_is_printable_can_be_encoded_and_stays_as_it_is(raw: str) -> None:
    shown = plain(raw)

    assert not HIDDEN.search(shown)
    assert "\n" not in shown
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert plain(shown) == shown


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_is_never_touched(raw: str) -> None:
    assert plain(raw) is raw


def test_every_text_of_a_struct_is_made_plain_at_any_depth() -> None:
    found = cleaned(hostile_chain())

    assert plain(HOSTILE) in found.who
    assert found.subject == plain(HOSTILE)
    assert found.stages[0].origin == plain(HOSTILE)
    assert found.origins[0][0].isprintable()
    assert type(found) is type(hostile_chain())


def test_a_clean_struct_stays_equal() -> None:
    assert cleaned(cleaned(hostile_chain())) == cleaned(hostile_chain())


@pytest.mark.parametrize(
    ("raw", "limit", "shown"),
    [
        ("short", 5, "short"),
        ("ASIATFQR7NSC36DZQP7P", 9, "ASIA…QP7P"),
        ("ASIATFQR7NSC36DZQP7P", 10, "ASIA…ZQP7P"),
        ("漢字漢字漢字", 7, "漢…漢字"),
        ("", 3, ""),
        ("abcdef", 3, "a…f"),
    ],
)
def test_long_values_lose_their_middle(raw: str, limit: int, shown: str) -> None:
    assert shortened(raw, limit) == shown


@given(text, st.integers(3, 90))
def test_a_shortened_value_fits_and_keeps_its_ends(raw: str, limit: int) -> None:
    shown = shortened(plain(raw), limit)

    assert width(shown) <= limit
    if shown != plain(raw):
        head, _, tail = shown.partition("…")
        assert plain(raw).startswith(head)
        assert plain(raw).endswith(tail) or "…" in plain(raw)


def test_wide_characters_count_twice_and_combining_marks_not_at_all() -> None:
    assert width("漢字") == 4
    assert width("e\u0301") == 1
    assert unicodedata.normalize("NFC", "e\u0301") == "é"
    assert width("é") == 1
