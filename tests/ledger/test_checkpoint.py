"""C2SP tlog-checkpoint: one text for each checkpoint, nothing else read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import LogError
from custody.ledger.checkpoint import Checkpoint, parse
from custody.ledger.merkle import EMPTY_ROOT
from custody.ledger.note import encode64

ROOT = bytes(range(32))
ROOT64 = encode64(ROOT)


def test_a_checkpoint_is_three_lines() -> None:
    assert Checkpoint("example.com/log", 42, ROOT).text() == f"example.com/log\n42\n{ROOT64}\n"


def test_the_empty_log_has_size_0_and_the_empty_root() -> None:
    point = parse("example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
    assert point == Checkpoint("example.com/log", 0, EMPTY_ROOT)


def test_extension_lines_are_carried() -> None:
    assert parse(f"o\n1\n{ROOT64}\none\ntwo\n").extensions == ("one", "two")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters=[chr(code) for code in range(32)]), min_size=1),
    st.integers(1, (1 << 63) - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.from_regex(r"[ -~]+", fullmatch=True), max_size=3),
)
def test_a_checkpoint_survives_its_text(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    point = Checkpoint(origin, size, root, tuple(extensions))
    assert parse(point.text()) == point


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "o\n1\n",
        f"o\n1\n{ROOT64}",
        f"\n1\n{ROOT64}\n",
        f"o\n\n{ROOT64}\n",
        f"o\n01\n{ROOT64}\n",
        f"o\n00\n{ROOT64}\n",
        f"o\n+1\n{ROOT64}\n",
        f"o\n-1\n{ROOT64}\n",
        f"o\n 1\n{ROOT64}\n",
        f"o\n1 \n{ROOT64}\n",
        f"o\n1_0\n{ROOT64}\n",
        f"o\n\u0661\n{ROOT64}\n",
        f"o\n{1 << 63}\n{ROOT64}\n",
        f"o\n{'9' * 5000}\n{ROOT64}\n",
        f"o\n1\n{ROOT64[:-1]}\n",
        f"o\n1\n{encode64(ROOT[:-1])}\n",
        f"o\n1\n{encode64(ROOT + b'x')}\n",
        f"o\n1\n{ROOT64[:-2]}9=\n",
        f"o\n1\n{ROOT64}\n\n",
        f"o\n1\n{ROOT64}\n\nextension\n",
        f"o\n0\n{ROOT64}\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(LogError):
        parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 1, ROOT, ()),
        ("a\nb", 1, ROOT, ()),
        ("a\tb", 1, ROOT, ()),
        ("\udc80", 1, ROOT, ()),
        ("o", -1, ROOT, ()),
        ("o", 1 << 63, ROOT, ()),
        ("o", 1, ROOT[:-1], ()),
        ("o", 0, ROOT, ()),
        ("o", 1, ROOT, ("",)),
        ("o", 1, ROOT, ("a\nb",)),
    ],
)
def test_a_checkpoint_that_has_no_text_cannot_be_made(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(LogError):
        Checkpoint(origin, size, root, extensions)
