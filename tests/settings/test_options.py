import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.errors import UsageError
from custody.settings.options import SETTINGS, Color, Layer, Settings, resolve

HOME = Path("/home/someone")
MIB = 1 << 20
NONE: Mapping[str, str] = {}


def settle(
    flags: Mapping[str, object | None], environ: Mapping[str, str], cwd: Path, file: Path | None = None, cores: int = 4
) -> Settings:
    return resolve(flags, environ, file, home=HOME, cwd=cwd, cores=cores)


def refused(flags: Mapping[str, object | None], environ: Mapping[str, str], cwd: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        settle(flags, environ, cwd)
    return caught.value


def test_without_anything_given_the_defaults_hold(tmp_path: Path) -> None:
    settings = settle({}, NONE, tmp_path)
    assert settings.store == tmp_path / "custody-store"
    assert settings.keys == HOME / ".local" / "share" / "custody" / "keys"
    assert (settings.contract, settings.file) == (None, None)
    assert (settings.jobs, settings.memory, settings.max_ratio) == (4, 700, 200)
    assert (settings.max_record, settings.max_content) == (16 * MIB, 16 * 1024 * MIB)
    assert settings.color is Color.AUTO
    assert {layer for _, layer in settings.layers} == {Layer.DEFAULT}


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "custody.toml").write_text("jobs = 2\nmemory = 300\nmax_ratio = 50\n")
    environ = {"CUSTODY_JOBS": "3", "CUSTODY_MEMORY": "400"}
    settings = settle({"jobs": 5, "memory": None}, environ, tmp_path)
    assert (settings.jobs, settings.memory, settings.max_ratio) == (5, 400, 50)
    layers = [settings.layer(name) for name in ("jobs", "memory", "max_ratio", "store")]
    assert layers == [Layer.FLAG, Layer.ENVIRONMENT, Layer.FILE, Layer.DEFAULT]
    assert settings.file == tmp_path / "custody.toml"


def test_every_setting_is_described_with_its_value_and_where_it_came_from(tmp_path: Path) -> None:
    described = settle({"color": "never"}, {"CUSTODY_CONTRACT": "c.yaml"}, tmp_path).described()
    assert list(described) == list(SETTINGS)
    assert described["color"] == {"value": "never", "from": "flag"}
    assert described["contract"] == {"value": str(tmp_path / "c.yaml"), "from": "environment"}
    assert described["max_record"] == {"value": 16 * MIB, "from": "default"}
    msgspec.json.encode(described)


def test_paths_start_from_the_working_folder_or_from_the_file_that_names_them(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "mine.toml"
    file.write_text('store = "evidence"\nkeys = "~/keys"\n')
    settings = settle({"contract": Path("c.yaml")}, NONE, tmp_path, file)
    assert (settings.store, settings.keys) == (folder / "evidence", HOME / "keys")
    assert settings.contract == tmp_path / "c.yaml"


def test_the_file_is_named_by_flag_else_by_variable_else_it_is_the_usual_one(tmp_path: Path) -> None:
    for number, name in enumerate(("custody.toml", "a.toml", "b.toml"), 1):
        (tmp_path / name).write_text(f"jobs = {number}\n")
    environ = {"CUSTODY_CONFIG": "a.toml"}
    assert settle({}, NONE, tmp_path).jobs == 1
    assert settle({}, environ, tmp_path).jobs == 2
    assert settle({}, environ, tmp_path, Path("b.toml")).jobs == 3


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    error = refused({}, {"CUSTODY_CONFIG": "gone.toml"}, tmp_path)
    assert error.where == str(tmp_path / "gone.toml")


@pytest.mark.parametrize(("given_home", "keys"), [("/data", "/data/custody/keys"), ("data", None), ("", None)])
def test_keys_lie_in_the_data_home(tmp_path: Path, given_home: str, keys: str | None) -> None:
    settings = settle({}, {"XDG_DATA_HOME": given_home}, tmp_path)
    assert settings.keys == (Path(keys) if keys else HOME / ".local/share/custody/keys")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_record", "1MiB", MIB),
        ("max_record", "2048", 2048),
        ("max_content", "2GiB", 2 << 30),
        ("memory", "900", 900),
        ("memory", "2GiB", 2048),
        ("jobs", "1", 1),
        ("max_ratio", "1000", 1000),
    ],
)
def test_numbers_are_read_alike_from_every_layer(tmp_path: Path, name: str, text: str, value: int) -> None:
    (tmp_path / "custody.toml").write_text(f'{name} = "{text}"\n')
    by_layer = [
        settle({}, NONE, tmp_path),
        settle({}, {SETTINGS[name].variable: text}, tmp_path),
        settle({name: text}, NONE, tmp_path),
    ]
    assert [settings.described()[name]["value"] for settings in by_layer] == [value] * 3


@pytest.mark.parametrize(
    ("name", "value", "message", "expected"),
    [
        ("jobs", "0", "out of range", "from 1 to 256"),
        ("jobs", 257, "out of range", "from 1 to 256"),
        ("jobs", "two", "not a whole number", "a whole number"),
        ("jobs", "1MiB", "not a whole number", "a whole number"),
        ("jobs", True, "wrong type", "a whole number"),
        ("jobs", 1.5, "wrong type", "a whole number"),
        ("jobs", "-1", "not a whole number", "a whole number"),
        ("memory", 100, "out of range", "from 128MiB to 1TiB; a bare number is MiB"),
        ("max_record", "16MB", "not a size", "from 1KiB to 1GiB; a bare number is bytes"),
        ("max_record", "2GiB", "out of range", "from 1KiB to 1GiB"),
        ("max_content", [1], "wrong type", "a size such as"),
        ("max_ratio", "1", "out of range", "from 2 to 1000000"),
        ("color", "blue", "bad color", "auto, always, never"),
        ("color", ["never"], "bad color", "auto, always, never"),
        ("store", 7, "not a path", "the path of"),
        ("store", "a\0b", "not a path", "the path of"),
        ("keys", "", "not a path", "the path of"),
    ],
)
def test_a_bad_value_says_where_what_and_what_was_expected(
    tmp_path: Path, name: str, value: object, message: str, expected: str
) -> None:
    error = refused({name: value}, NONE, tmp_path)
    assert error.where == "--" + name.replace("_", "-")
    assert message in error.message
    assert expected in error.expected
    assert error.found


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "names"),
    [
        ({"mapping": ("a.yaml", "/b.yaml", "a.yaml")}, {}, "", ["a.yaml", "/b.yaml"]),
        ({"mapping": "a:b.yaml"}, {}, "", ["a:b.yaml"]),
        ({}, {"CUSTODY_MAPPING": os.pathsep.join(("a.yaml", "", "~/b.yaml"))}, "", ["a.yaml", str(HOME / "b.yaml")]),
        ({}, {"CUSTODY_MAPPING": os.pathsep}, "", []),
        ({}, {}, 'mapping = "a.yaml"', ["a.yaml"]),
        ({}, {}, 'mapping = ["a.yaml", "b/c.yaml"]', ["a.yaml", "b/c.yaml"]),
        ({}, {}, "mapping = []", []),
        ({"mapping": ("a.yaml",)}, {"CUSTODY_MAPPING": "b.yaml"}, 'mapping = "c.yaml"', ["a.yaml"]),
        ({}, {}, "", []),
    ],
)
def test_mappings_are_as_many_paths_as_one_layer_gives(
    tmp_path: Path, flags: Mapping[str, object], environ: Mapping[str, str], toml: str, names: list[str]
) -> None:
    (tmp_path / "custody.toml").write_text(toml)
    settings = settle(flags, environ, tmp_path)
    assert settings.mapping == tuple(tmp_path / name for name in names)
    assert settings.described()["mapping"]["value"] == [str(tmp_path / name) for name in names]


def test_a_bad_mapping_says_which_of_several(tmp_path: Path) -> None:
    error = refused({"mapping": ("a.yaml", "")}, NONE, tmp_path)
    assert (error.where, error.found, error.message) == ("--mapping", "''", "not a path")
    (tmp_path / "custody.toml").write_text('mapping = ["a.yaml", 7]')
    error = refused({}, NONE, tmp_path)
    assert (error.where, error.found) == (f"{tmp_path / 'custody.toml'}: mapping", "7")


def test_a_bad_value_names_the_variable_or_the_file_and_key(tmp_path: Path) -> None:
    assert refused({}, {"CUSTODY_MAX_RECORD": "x"}, tmp_path).where == "CUSTODY_MAX_RECORD"
    (tmp_path / "custody.toml").write_text("[store]\nx = 1\n")
    error = refused({}, NONE, tmp_path)
    assert error.where == f"{tmp_path / 'custody.toml'}: store"
    assert error.found == "{'x': 1}"


def test_a_strong_layer_does_not_excuse_an_unknown_key_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "custody.toml").write_text('contrct = "c.yaml"\n')
    error = refused({"contract": "c.yaml"}, NONE, tmp_path)
    assert (error.message, error.advice) == ("unknown setting", "did you mean contract?")
    assert error.where.endswith("custody.toml: contrct")


def test_an_unknown_flag_is_refused(tmp_path: Path) -> None:
    assert refused({"job": 1}, NONE, tmp_path).advice == "did you mean jobs?"


@pytest.mark.parametrize(
    ("variable", "meant"),
    [("CUSTODY_CONTRAT", "CUSTODY_CONTRACT"), ("CUSTODY_COLOUR", "CUSTODY_COLOR"), ("CUSTODY_CONFG", "CUSTODY_CONFIG")],
)
def test_a_misspelt_variable_is_refused(tmp_path: Path, variable: str, meant: str) -> None:
    error = refused({}, {variable: "x"}, tmp_path)
    assert (error.where, error.advice) == (variable, f"did you mean {meant}?")


def test_variables_that_an_orchestrator_sets_for_a_service_named_custody_are_ignored(tmp_path: Path) -> None:
    names = ["CUSTODY_PORT", "CUSTODY_SERVICE_HOST", "CUSTODY_SERVICE_PORT", "CUSTODY_PORT_443_TCP_ADDR"]
    assert settle({}, dict.fromkeys(names, "tcp://10.0.0.1:443"), tmp_path) == settle({}, NONE, tmp_path)


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    environ = {setting.variable: "" for setting in SETTINGS.values()} | {"CUSTODY_CONFIG": "", "NO_COLOR": ""}
    assert settle({}, environ, tmp_path) == settle({}, NONE, tmp_path)


def test_no_color_is_heard_and_overruled_by_what_is_more_exact(tmp_path: Path) -> None:
    assert settle({}, {"NO_COLOR": "1"}, tmp_path).color is Color.NEVER
    assert settle({}, {"NO_COLOR": "1", "CUSTODY_COLOR": "always"}, tmp_path).color is Color.ALWAYS
    assert settle({"color": "auto"}, {"NO_COLOR": "1"}, tmp_path).color is Color.AUTO


@pytest.mark.parametrize("keys", ["custody-store", "custody-store/keys", "x/../custody-store/keys", "./custody-store/"])
def test_keys_in_the_store_are_refused(tmp_path: Path, keys: str) -> None:
    error = refused({"keys": keys}, NONE, tmp_path)
    assert (error.message, error.where) == ("the keys lie in the store", "--keys")
    assert error.expected == f"a folder outside of {tmp_path / 'custody-store'}"


def test_a_store_around_the_usual_keys_is_refused_at_the_store(tmp_path: Path) -> None:
    assert refused({"store": str(HOME)}, NONE, tmp_path).where == "--store"


def test_a_store_beside_the_keys_is_fine(tmp_path: Path) -> None:
    settings = settle({"store": "custody", "keys": "custody-keys"}, NONE, tmp_path)
    assert settings.keys == tmp_path / "custody-keys"


@pytest.mark.parametrize(("cores", "jobs"), [(0, 1), (1, 1), (64, 64), (1000, 256)])
def test_jobs_are_the_cores_within_the_bounds(tmp_path: Path, cores: int, jobs: int) -> None:
    assert settle({}, NONE, tmp_path, cores=cores).jobs == jobs


@given(
    st.sampled_from(list(SETTINGS)), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
)
def test_any_value_gives_settings_or_a_usage_error(name: str, value: object) -> None:
    cwd = Path("/nowhere/at/all")
    try:
        settings = settle({name: value}, NONE, cwd)
    except UsageError as caught:
        error = caught
        str(error).encode()
    else:
        assert all(path is None or path.is_absolute() for path in (settings.store, settings.keys, settings.contract))
        assert all(path.is_absolute() for path in settings.mapping)
        assert settings.layer(name) is (Layer.DEFAULT if value is None else Layer.FLAG)
