"""The quick search for secret names gives exactly what the frozen pattern gives."""

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.sources import secret_names, secret_spans

PIECES = (
    "token", "secret", "password", "passwd", "pwd", "private_key", "key", "material", "pre", "shared", "api", "-", "_",
    "authorization", "code", "cookie", "cookies", "assertion", "amz", "signature", "device", "string", "access", '"',
    '\\"', "\\\\", " ", ":", "client", "x", "pass", "phrase", "s", "data",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40))
@settings(max_examples=2000, deadline=None)
def test_the_same_matches_in_the_same_order(pieces: list[str]) -> None:
    low = "".join(pieces).encode()
    expected = [found.span() for found in secret_names.EXACT.finditer(low)]

    assert [found.span() for found in secret_spans._exact(low)] == expected


def test_many_records_are_screened_as_each_alone(real_records: list[bytes]) -> None:
    from custody.sources.registry import sources

    (source,) = (each for each in sources() if each.name == "aws.cloudtrail")
    together = source.identities(real_records)

    assert together == [source.identify(record) for record in real_records]
