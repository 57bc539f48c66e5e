"""A value that is none of a list: the error of the broker file says which there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from custody.errors import UsageError
from custody.settings.broker_file import read_broker_file

HEAD = 'broker = "b"\nissuer = "https://b.example"\n[[identities]]\n'


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            'method = "oidc"\nissuer = "https://i.example"\naudience = "a"\nplatform = "svn"\n',
            "generic, github, gitlab, kubernetes",
        ),
        ('method = "magic"\n', "oidc, spiffe"),
        ('method = "oidc"\nissuer = 5\naudience = "a"\n', ""),
        ('method = "oidc"\nissuer = "https://i.example"\naudience = "a"\nplatfrom = "github"\n', ""),
    ],
)
def test_a_wrong_word_of_a_list_names_the_list(tmp_path: Path, table: str, expected: str) -> None:
    (tmp_path / "broker.toml").write_text(HEAD + table)
    with pytest.raises(UsageError) as caught:
        read_broker_file(tmp_path / "broker.toml")

    assert caught.value.expected == expected
