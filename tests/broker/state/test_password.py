"""The password of the state's database: named in the broker file, never written there."""

from pathlib import Path

import pytest

from custody.errors import CustodyError, UsageError
from custody.serve.composing import _tables
from custody.settings.broker_file import read_broker_file

SECRET = "must-not-stay"
SERVER = "postgresql+psycopg://custody@127.0.0.1:1/custody"


def written(folder: Path, **keys: str) -> Path:
    path = folder / "broker.toml"
    table = {"broker": "trial", "issuer": "https://broker.example", **keys}
    path.write_text("".join(f'{key} = "{value}"\n' for key, value in table.items()))
    return path


@pytest.mark.parametrize("reference", ["env:STATE", "file:password"])
def test_it_is_looked_for_before_anything_is_connected(tmp_path: Path, reference: str) -> None:
    file = read_broker_file(written(tmp_path, state=SERVER, state_password=reference))

    with pytest.raises(UsageError, match="secret") as caught:
        _tables(file, tmp_path, {})
    assert caught.value.where == "state_password"

    (tmp_path / "password").write_text(SECRET)
    with pytest.raises(CustodyError, match="failed while opening") as other:
        _tables(file, tmp_path, {"STATE": SECRET})
    assert SECRET not in f"{other.value!r} {other.value} {other.value.advice}"


def test_a_secret_in_the_place_of_a_reference_is_refused_and_not_repeated(tmp_path: Path) -> None:
    file = read_broker_file(written(tmp_path, state=SERVER, state_password=SECRET))

    with pytest.raises(UsageError, match="nothing is where the secret should be") as caught:
        _tables(file, tmp_path, {})
    assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.advice}"


def test_a_password_in_the_url_is_refused(tmp_path: Path) -> None:
    file = read_broker_file(written(tmp_path, state=SERVER.replace("custody@", f"custody:{SECRET}@")))

    with pytest.raises(UsageError, match="a password stands in the URL") as caught:
        _tables(file, tmp_path, {})
    assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.advice}"


@pytest.mark.parametrize("state", ["", "sqlite:///state.db"])
def test_a_file_has_no_password(tmp_path: Path, state: str) -> None:
    with pytest.raises(UsageError, match="a password for no server"):
        read_broker_file(written(tmp_path, state=state, state_password="env:STATE"))


def test_without_a_url_it_is_sqlite_in_the_folder_of_the_broker(tmp_path: Path) -> None:
    _tables(read_broker_file(written(tmp_path)), tmp_path, {}).close()

    assert (tmp_path / "state.db").is_file()
