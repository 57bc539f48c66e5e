"""The archive has one form: anybody can unpack it, and nothing but that form is read."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from custody.errors import LogError, UsageError
from custody.packs import archive

FILES = {"a.txt": b"one", "folder/b.bin": bytes(range(256)) * 40, "empty": b""}


def archived(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    writer = archive.Writer(data)
    for name, content in files.items():
        writer.add(name, content)
    writer.close()
    return data.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    file = io.BytesIO(data)
    return {each.name: b"".join(archive.read_member(file, each)) for each in archive.read_members(file)}


def test_what_is_written_is_read_by_us_and_by_others() -> None:
    data = archived(FILES)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == FILES
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert read(data) == FILES
    assert list(read(data)) == list(FILES)


def test_pieces_give_what_the_whole_gives() -> None:
    data = io.BytesIO()
    writer = archive.Writer(data)
    written = writer.add("folder/b.bin", (bytes([each]) for each in FILES["folder/b.bin"]))
    writer.close()

    assert written.size == len(FILES["folder/b.bin"])
    assert read(data.getvalue()) == {"folder/b.bin": FILES["folder/b.bin"]}


def test_nothing_in_it_is_an_archive_too() -> None:
    data = archived({})
    assert read(data) == {}
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == []


@pytest.mark.slow
def test_more_files_than_fit_in_sixteen_bits() -> None:
    files = {f"f/{number}": b"" for number in range(65_600)}
    data = archived(files)

    assert len(archive.read_members(io.BytesIO(data))) == len(files)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert len(opened.namelist()) == len(files)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "a/../b", "a//b", "", "a/", "C:\\x", "a b", ".hidden", "é", "x" * 201]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(LogError, match="plain relative path"):
        archived({name: b""})


def test_two_files_of_one_name_are_refused_whatever_the_case() -> None:
    with pytest.raises(LogError, match="one name"):
        archived({"a/Readme": b"", "a/README": b""})


def other(change: str) -> bytes:
    """The same files by another writer, or with what ours never writes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in FILES.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_STORED if change == "stored" else zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, 0o100644 << 16
            if change == "dated":
                info.date_time = (2026, 3, 1, 0, 0, 0)
            if change == "link":
                info.external_attr = 0o120777 << 16
            if change == "comment of a file":
                info.comment = b"hello"
            if change == "extra":
                info.extra = struct.pack("<HH4s", 0x7075, 4, b"abcd")
            opened.writestr(info, content)
        if change == "comment":
            opened.comment = b"hello"
        if change == "twice":
            with pytest.warns(UserWarning, match="Duplicate name"):
                opened.writestr(zipfile.ZipInfo("a.txt"), b"another")
    return data.getvalue()


@pytest.mark.parametrize("change", ["stored", "dated", "link", "comment of a file", "extra", "comment", "twice"])
def test_what_hides_or_says_something_else_is_refused(change: str) -> None:
    with pytest.raises(LogError):
        read(other(change))


def test_headers_that_say_two_things_are_refused() -> None:
    data = bytearray(archived(FILES))
    data[data.index(b"a.txt")] ^= 1
    with pytest.raises(LogError, match="differs from the directory"):
        read(bytes(data))


def bomb(size: int, said: int) -> bytes:
    """An archive whose one file unpacks to ``size`` bytes and is said to have ``said``."""
    content = bytes(size)
    data = archived({"bomb": content})
    return data.replace(struct.pack("<I", size), struct.pack("<I", said))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(LogError, match="unpack to too much"):
        archive.read_members(io.BytesIO(bomb(80 << 20, 80 << 20)))


def test_a_bomb_that_lies_is_stopped_at_what_it_said() -> None:
    data = bomb((16 << 20) + 4711, 1000)
    file = io.BytesIO(data)
    (member,) = archive.read_members(file)
    seen: list[int] = []
    with pytest.raises(LogError, match="does not unpack"):
        seen.extend(len(chunk) for chunk in archive.read_member(file, member))
    assert sum(seen) <= 2 * archive.CHUNK


@pytest.mark.parametrize("more", [0, 1, 5, 7, 9, 258, 300])
def test_a_file_that_ends_just_past_a_chunk_is_read(more: int) -> None:
    """The unpacker may hold its last bytes back after it has taken all that is packed."""
    content = bytes(archive.CHUNK + more)
    file = io.BytesIO(archived({"even": content}))
    (member,) = archive.read_members(file)

    assert b"".join(archive.read_member(file, member)) == content


def test_what_follows_a_file_inside_its_place_is_refused() -> None:
    packer = zlib.compressobj(archive.LEVEL, zlib.DEFLATED, -15)
    packed = packer.compress(b"one") + packer.flush()
    data = archived({"a.txt": b"one"}).replace(packed, packed + b"hidden")
    size = struct.pack("<I", len(packed))
    data = data.replace(size, struct.pack("<I", len(packed) + 6))
    at = data.rindex(b"PK\x05\x06") + 16
    data = data[:at] + struct.pack("<I", struct.unpack_from("<I", data, at)[0] + 6) + data[at + 4 :]
    with pytest.raises(LogError):
        read(data)


def test_too_much_is_refused_while_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10_000)
    with (tmp_path / "large.zip").open("w+b") as file, pytest.raises(UsageError, match="too large"):
        archive.Writer(file).add("large", (bytes(1000) for _ in range(11)))
