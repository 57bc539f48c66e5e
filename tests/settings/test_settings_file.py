from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custody.errors import UsageError
from custody.settings.settings_file import MAX_BYTES, read_settings_file


def test_a_file_is_a_flat_table(tmp_path: Path) -> None:
    path = tmp_path / "custody.toml"
    path.write_text('jobs = 2\nstore = "s"  # where evidence goes\n')
    assert read_settings_file(path) == {"jobs": 2, "store": "s"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"jobs = \n", "not TOML"),
        (b"jobs = 1\njobs = 2\n", "not TOML"),
        (b"jobs = " + b"9" * 5_000, "not TOML"),
        (b"jobs = " + b"[" * 5_000, "not TOML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"#" * (MAX_BYTES + 1), "too large"),
    ],
)
def test_other_files_are_a_usage_error_that_names_them(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "custody.toml"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=message) as caught:
        read_settings_file(path)
    assert caught.value.where == str(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["gone.toml", "", "nul\0"])
def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot read the settings file"):
        read_settings_file(tmp_path / name)


@given(data=st.binary(max_size=100) | st.text(alphabet="[]{}=.\"'\\u#\n 19azé", max_size=60).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_table_or_a_usage_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(data)
    try:
        table = read_settings_file(path)
    except UsageError as caught:
        error = caught
        assert error.where == str(path)
    else:
        assert all(isinstance(name, str) for name in table)
