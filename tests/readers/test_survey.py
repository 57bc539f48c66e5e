"""The hash pass over every container, damaged ones and hostile ones."""

import gzip
import hashlib
import io
import os
import random
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.errors import SourceError
from custody.model.records import Acquisition
from custody.readers.content import open_content
from custody.readers.limits import KIB, MIB, Limits
from custody.readers.survey import survey

DELIVERED = b'{"Records":[{"eventID":"1"},{"eventID":"2"}]}'


Pack = Callable[[list[tuple[str, bytes]]], bytes]


def tar_of(members: list[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE, layout: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar; the members are of one kind."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=layout) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip; names may repeat."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, data)
    return out.getvalue()


class OneWay(io.BytesIO):
    """A pipe: the writer of a zip cannot go back and fill in the sizes."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def streamed_zip_of(members: list[tuple[str, bytes]]) -> bytes:
    """A zip as written to a pipe: sizes come after the data."""
    out = OneWay()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def gz(data: bytes) -> bytes:
    """One gzip member."""
    return gzip.compress(data, mtime=0)


def write(folder: Path, name: str, data: bytes) -> Path:
    """A file."""
    path = folder / name
    path.write_bytes(data)
    return path


def acquired(path: Path, limits: Limits | None = None) -> dict[str | None, Acquisition]:
    """The acquisitions by member, each checked against what opening it again gives."""
    limits = limits or Limits()
    received = path.read_bytes()
    found = {item.member: item for item in survey(path, limits) if isinstance(item, Acquisition)}
    for acquisition in found.values():
        assert acquisition.path == str(path)
        assert acquisition.received == hashlib.sha256(received).hexdigest()
        assert acquisition.received_size == len(received)
        assert hashlib.sha256(again(path, acquisition, limits)).hexdigest() == acquisition.content
    return found


def again(path: Path, acquisition: Acquisition, limits: Limits | None = None) -> bytes:
    return b"".join(open_content(path, acquisition, limits or Limits()).blocks())


def contents(path: Path, limits: Limits | None = None) -> dict[str | None, bytes]:
    return {name: again(path, found, limits) for name, found in acquired(path, limits).items()}


def complaints(path: Path, limits: Limits | None = None) -> list[str]:
    return [str(item) for item in survey(path, limits or Limits()) if isinstance(item, SourceError)]


def only(path: Path, limits: Limits | None = None) -> Acquisition:
    (acquisition,) = acquired(path, limits).values()
    return acquisition


NOISE = random.Random(1).randbytes(300 * KIB)
SMALL = Limits(whole=1000)
"""Everything over 1,000 bytes is streamed: results must not depend on it."""


@pytest.mark.parametrize("limits", [Limits(), SMALL])
@pytest.mark.parametrize("data", [b"", b"x", DELIVERED, NOISE])
def test_plain_and_gzipped_files_have_the_content_that_went_in(tmp_path: Path, data: bytes, limits: Limits) -> None:
    for number, received in enumerate((data, gz(data))):
        found = only(write(tmp_path, f"misleading.zip{number}", received), limits)
        assert (found.content, found.content_size) == (hashlib.sha256(data).hexdigest(), len(data))
        assert (found.member, found.problem) == (None, None)


@pytest.mark.parametrize("limits", [Limits(), SMALL])
def test_every_gzip_member_is_read(tmp_path: Path, limits: Limits) -> None:
    for name, received in {
        "two": gz(b"first") + gz(NOISE),
        "twins": gz(DELIVERED) * 2,
        "padded": gz(b"first") + bytes(100_000) + gz(b"second") + bytes(9),
        "empty": gz(b"") * 3 + gz(b"x"),
    }.items():
        found = only(write(tmp_path, name, received), limits)
        assert found.content == hashlib.sha256(gzip.decompress(received)).hexdigest()
        assert found.problem is None


@pytest.mark.parametrize("limits", [Limits(), SMALL])
def test_bytes_behind_gzip_are_told_and_the_content_kept(tmp_path: Path, limits: Limits) -> None:
    found = only(write(tmp_path, "log.gz", gz(NOISE) + b"rubbish"), limits)
    assert found.content == hashlib.sha256(NOISE).hexdigest()
    assert found.problem == "bytes that are no gzip member follow the compressed data; they were not read"


@pytest.mark.parametrize("limits", [Limits(), SMALL])
def test_truncated_gzip_gives_what_a_decompressor_gets_out(tmp_path: Path, limits: Limits) -> None:
    text = b"".join(b'{"eventID":"%d"}\n' % number for number in range(20_000))
    whole = gz(text)
    for end in (12, 100, 5_000, len(whole) // 2, len(whole) - 5):
        path = write(tmp_path, f"{end}.gz", whole[:end])
        expected = zlib.decompressobj(31).decompress(whole[:end])
        found = only(path, limits)
        assert found.problem == "compressed data is cut short"
        assert contents(path, limits)[None] == expected == text[: len(expected)]


def test_damaged_gzip_gives_the_bytes_before_the_fault(tmp_path: Path) -> None:
    whole = bytearray(gz(NOISE.hex().encode()))
    whole[len(whole) // 2 : len(whole) // 2 + 64] = b"\xff" * 64
    path = write(tmp_path, "damaged.gz", bytes(whole))
    found = only(path)
    assert found.problem is not None
    assert found.problem.startswith("compressed data is damaged: ")
    prefix = contents(path)[None]
    assert len(prefix) > 250 * KIB
    assert NOISE.hex().encode().startswith(prefix[: 250 * KIB])
    assert contents(path, SMALL)[None] == prefix


def test_wrong_checksum_keeps_all_bytes_and_is_told(tmp_path: Path) -> None:
    whole = bytearray(gz(DELIVERED))
    whole[-8] ^= 1
    path = write(tmp_path, "log.gz", bytes(whole))
    assert only(path).problem == "compressed data is damaged: incorrect data check"
    assert contents(path)[None] == DELIVERED


@pytest.mark.parametrize("limits", [Limits(), SMALL])
@pytest.mark.parametrize("pack", [tar_of, zip_of, streamed_zip_of])
def test_archives_give_each_member_and_unpack_their_gz(tmp_path: Path, pack: Pack, limits: Limits) -> None:
    data = pack([("a/b.json.gz", gz(DELIVERED)), ("c.json", NOISE), ("dir/", b""), ("empty", b"")])
    expected = {"a/b.json.gz": DELIVERED, "c.json": NOISE, "empty": b""}
    for name, received in {"plain": data, "packed": gz(data)}.items():
        if limits is SMALL and pack is not tar_of and name == "packed":
            continue
        path = write(tmp_path, name, received)
        found = contents(path, limits)
        found.pop("dir/", None)
        assert found == expected
        assert complaints(path, limits) == []


@pytest.mark.parametrize("layout", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_foreign_names_in_a_tar(tmp_path: Path, layout: int) -> None:
    name = "ü/" + "long/" * 60 + "log.json"
    path = write(tmp_path, "logs.tar", tar_of([(name, DELIVERED), ("next", b"x")], layout=layout))
    assert contents(path) == {name: DELIVERED, "next": b"x"}


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..\\..\\x", "C:\\x"])
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_names_that_point_outside_are_labels_and_told(tmp_path: Path, pack: Pack, name: str) -> None:
    path = write(tmp_path, "logs", pack([(name, DELIVERED)]))
    assert list(contents(path).values()) == [DELIVERED]
    (complaint,) = complaints(path)
    assert "the member's name points outside its archive" in complaint
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_told_and_not_followed(tmp_path: Path, kind: bytes) -> None:
    path = write(tmp_path, "logs.tar", tar_of([("link", b"")], kind)[:512] + tar_of([("log", DELIVERED)]))
    assert contents(path) == {"log": DELIVERED}
    assert "in an archive is not followed or read" in complaints(path)[0]


def test_links_and_encrypted_members_in_a_zip_are_told(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("locked", "x")
        archive.filelist[1].flag_bits |= 1
    path = write(tmp_path, "logs.zip", out.getvalue())
    assert acquired(path) == {}
    assert [text.split(" (")[0].split(": ", 1)[1] for text in complaints(path)] == [
        "link: a link in an archive is not followed or read",
        "locked: a encrypted file in an archive is not followed or read",
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_members_of_one_name_are_all_read(tmp_path: Path, pack: Pack) -> None:
    path = write(tmp_path, "logs", pack([("a", b"1"), ("a", b"2"), ("a#2", b"3")]))
    assert contents(path) == {"a": b"1", "a#2": b"2", "a#2#2": b"3"}
    assert len(complaints(path)) == 2


def test_control_characters_in_names_are_shown_harmlessly(tmp_path: Path) -> None:
    path = write(tmp_path, "logs.tar", tar_of([("a\x1b[2J\nb", b"1")], layout=tarfile.GNU_FORMAT))
    assert list(contents(path)) == ["a\\x1b[2J\\nb"]


@pytest.mark.parametrize("limits", [Limits(), SMALL])
def test_truncated_archives_give_their_complete_members(tmp_path: Path, limits: Limits) -> None:
    members = [("one", DELIVERED), ("two", NOISE)]
    for name, whole in {"tar": tar_of(members), "zip": zip_of(members), "streamed": streamed_zip_of(members)}.items():
        path = write(tmp_path, name, whole[: len(whole) // 2])
        found = acquired(path, limits)
        assert found["one"].problem is None
        assert found["two"].problem is not None
        two = again(path, found["two"], limits)
        assert two
        assert NOISE.startswith(two)
        assert "cut short" in complaints(path, limits)[0]


def test_damaged_archives_are_told(tmp_path: Path) -> None:
    tar = bytearray(tar_of([("one", DELIVERED), ("two", b"x")]))
    tar[1024 + 5] ^= 1
    path = write(tmp_path, "tar", bytes(tar))
    assert contents(path) == {"one": DELIVERED}
    assert "a member's header is wrong" in complaints(path)[0]
    packed = bytearray(zip_of([("one", DELIVERED)], zipfile.ZIP_STORED))
    packed[40] ^= 1
    assert only(write(tmp_path, "zip", bytes(packed))).problem == "the member is damaged: its checksum or size is wrong"


@pytest.mark.parametrize("limits", [Limits(free_bytes=MIB), Limits(free_bytes=MIB, whole=1000)])
def test_bombs_end_at_the_limit_with_their_prefix(tmp_path: Path, limits: Limits) -> None:
    zeros = bytes(64 * MIB)
    once = gz(zeros)
    for name, received in {
        "gz": once,
        "gzgz": gz(once),
        "zip": zip_of([("a", zeros)]),
        "tar.gz": gz(tar_of([("a", zeros)])),
        "tar": tar_of([("a.gz", once)]),
    }.items():
        path = write(tmp_path, name, received)
        found = only(path, limits)
        assert found.problem == "over the limit of decompressed bytes per byte received"
        assert MIB // 2 < found.content_size <= MIB + 200 * len(received)


def test_the_members_of_an_archive_share_one_budget(tmp_path: Path) -> None:
    packed = zip_of([(f"{number:04}", bytes(MIB)) for number in range(200)])
    items = survey(write(tmp_path, "bomb.zip", packed), Limits(free_bytes=MIB, max_ratio=100))
    found = [item for item in items if isinstance(item, Acquisition)]
    assert sum(item.content_size for item in found) == MIB + 100 * len(packed)
    assert sum(item.problem is None for item in found) < 40


def test_limits_on_size_members_and_depth(tmp_path: Path) -> None:
    path = write(tmp_path, "log.gz", gz(DELIVERED))
    assert only(path, Limits(max_content=10)).problem == "over the limit of bytes in one file"
    assert contents(path, Limits(max_content=10)) == {None: DELIVERED[:10]}
    many = write(tmp_path, "many.tar", tar_of([(str(number), b"") for number in range(9)]))
    assert len(acquired(many, Limits(max_members=5))) == 5
    assert "more than 5 members" in complaints(many, Limits(max_members=5))[0]
    deep = DELIVERED
    for _ in range(6):
        deep = gz(deep)
    assert only(write(tmp_path, "deep", deep)).problem == "containers nested over 4 deep are not opened"
    assert contents(tmp_path / "deep", Limits(max_archive_depth=6)) == {None: DELIVERED}


def test_archives_in_archives_are_opened(tmp_path: Path) -> None:
    inner = zip_of([("log.json.gz", gz(DELIVERED))])
    path = write(tmp_path, "all.tgz", gz(tar_of([("day/inner.zip", inner), ("x.tar", tar_of([("y", b"y")]))])))
    assert contents(path) == {"day/inner.zip/log.json.gz": DELIVERED, "x.tar/y": b"y"}


def test_files_that_cannot_be_read_are_values(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, found in {
        tmp_path / "gone": "No such file",
        tmp_path: "a folder",
        tmp_path / "pipe": "a pipe",
        Path("/dev/null"): "a device",
        tmp_path / "a\0b": "null byte",
    }.items():
        (error,) = survey(path)
        assert isinstance(error, SourceError)
        assert found in error.found


@pytest.mark.parametrize("pack", ["gz", "tar", "zip", "tgz", "streamed"])
def test_mutated_files_never_raise_and_open_as_surveyed(tmp_path: Path, pack: str) -> None:
    members = [("one", DELIVERED), ("two.gz", gz(DELIVERED * 9)), ("three", NOISE[:3000])]
    whole = {
        "gz": gz(DELIVERED * 20),
        "tar": tar_of(members),
        "tgz": gz(tar_of(members)),
        "zip": zip_of(members),
        "streamed": streamed_zip_of(members),
    }[pack]
    chance = random.Random(pack)
    for round_ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 4, 30))):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 1, 4))] = chance.choice(
                (b"", b"\xff" * 4, b"\0", chance.randbytes(1), bytes(data[:40]))
            )
        limits = (Limits(), SMALL)[round_ % 2]
        acquired(write(tmp_path, "mutant", bytes(data)), limits)
