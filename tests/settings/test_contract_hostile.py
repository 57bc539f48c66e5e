import hashlib
import resource
import time
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.errors import ContractError
from custody.model.contracts import Contract
from custody.settings.contract import parse_contract
from custody.settings.document import MAX_BYTES
from custody.settings.origins import canonical_origin

EXAMPLE = (Path(__file__).resolve().parents[2] / "docs" / "examples" / "contract.yaml").read_bytes()
PIECES = [
    *("classes:", "origins:", "sources:", "version: 1", "one:", "match:", "workload: w", "ttl: 15m", "on", "~", "é"),
    *(
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ": ",
        "- ",
        "? ",
        "'",
        '"',
        "|\n",
        ">\n",
        "#",
        "---",
        "...",
        "\t",
    ),
    *("&a ", "*a", "!!str ", "!", "<<: ", "%YAML 1.2\n", "\\", "\\U00110000", "\\ud800", "\u2028", "\ufeff", "\0"),
    *("012345678901", "10.0.0.0/8", "count: 0", "by: g", "approval: "),
]
FIELDS = ["classes", "origins", "sources", "one", "match", "ttl", "approval", "by", "count"]


def contract_or_none(data: bytes) -> Contract | None:
    """What the reader makes of ``data``; anything raised but a ContractError fails the test."""
    try:
        return parse_contract(data, "c.yaml")
    except ContractError as caught:
        error = caught
    name, line, column = error.where.split(":")
    assert (name, int(line) >= 1, int(column) >= 1) == ("c.yaml", True, True)
    assert error.message
    str(error).encode()
    return None


def check(data: bytes) -> None:
    contract = contract_or_none(data)
    if contract is None:
        return
    assert contract.digest == hashlib.sha256(data).hexdigest()
    msgspec.json.encode(contract)
    origins = [origin for _, origins in contract.origins for origin in origins]
    assert [canonical_origin(origin) for origin in origins] == origins
    assert all(each.match for each in contract.classes)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_contract_or_a_contract_error(data: bytes) -> None:
    check(data)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@settings(max_examples=400, deadline=None)
def test_pieces_of_yaml_are_a_contract_or_a_contract_error(text: str) -> None:
    check(text.encode("utf-8"))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_contract_is_a_contract_or_a_contract_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXAMPLE)))
    end = data.draw(st.integers(start, min(start + 40, len(EXAMPLE))))
    patch = data.draw(st.sampled_from(PIECES).map(str.encode) | st.binary(max_size=4))
    check(EXAMPLE[:start] + patch + EXAMPLE[end:])


def nested(children: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(children, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), children)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), nested, max_leaves=20))
@settings(max_examples=200, deadline=None)
def test_any_json_is_a_contract_or_a_contract_error(value: object) -> None:
    check(msgspec.json.encode(value))


def test_a_file_over_the_limit_is_refused_unread() -> None:
    assert contract_or_none(b"origins: {}\n" + b"#" * (MAX_BYTES - 12)) is not None
    assert contract_or_none(b"origins: {}\n" + b"#" * (MAX_BYTES - 11)) is None


def test_bombs_are_refused_at_once() -> None:
    laughs = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    bombs = [
        laughs,
        "[" * MAX_BYTES,
        "{a: " * (MAX_BYTES // 4),
        "- " * (MAX_BYTES // 2),
        "%YAML 1." + "9" * 100_000,
        "&a [*a]",
    ]
    start = time.perf_counter()
    assert [contract_or_none(bomb.encode()) for bomb in bombs] == [None] * len(bombs)
    assert time.perf_counter() - start < 10


def test_a_large_contract_is_read_in_reasonable_time() -> None:
    text = "classes:\n" + "".join(f"  c{n}: {{match: {{workload: w{n}}}, ttl: 15m}}\n" for n in range(2_000))
    start = time.perf_counter()
    contract = contract_or_none(text.encode())
    assert contract is not None
    assert len(contract.classes) == 2_000
    assert time.perf_counter() - start < 10


def test_many_bad_names_do_not_cost_a_copy_of_the_file_each() -> None:
    text = "classes:\n" + "".join(f"  c {n}: {{match: {{workload: w}}}}\n" for n in range(4_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert contract_or_none(text.encode()) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
