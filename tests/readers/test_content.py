"""Nothing of a file that changed after it was hashed is handed on."""

import gzip
import hashlib
import io
import os
import random
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from custody.errors import SourceError
from custody.model.records import Acquisition
from custody.readers.content import Content, open_content, open_contents
from custody.readers.framing import frame
from custody.readers.limits import MIB, Limits
from custody.readers.survey import survey

LINES = b"".join(b'{"eventID":"%d"}\n' % number for number in range(200_000))
STREAMED = Limits(whole=MIB)


def surveyed(path: Path, limits: Limits) -> Acquisition:
    (acquisition,) = survey(path, limits)
    assert isinstance(acquisition, Acquisition)
    return acquisition


def tar_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize("limits", [Limits(), STREAMED])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_small_files_are_whole_and_large_ones_stream(tmp_path: Path, pack: type[bytes], limits: Limits) -> None:
    path = tmp_path / "log"
    path.write_bytes(pack(LINES))
    content = open_content(path, surveyed(path, limits), limits)
    assert (content.whole is None) == (limits is STREAMED)
    assert content.size == len(LINES)
    assert b"".join(content.blocks()) == b"".join(content.blocks()) == LINES


@pytest.mark.parametrize("limits", [Limits(), STREAMED])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("change", ["flipped", "longer", "shorter", "other", "gone"])
def test_a_file_that_changed_since_the_survey_is_refused(
    tmp_path: Path, pack: type[bytes], limits: Limits, change: str
) -> None:
    path = tmp_path / "log"
    path.write_bytes(pack(LINES))
    acquisition = surveyed(path, limits)
    middle = len(LINES) // 2
    new = {
        "flipped": LINES[:middle] + b"x" + LINES[middle + 1 :],
        "longer": LINES + b"{}",
        "shorter": LINES[:-1],
        "other": tar_of({"a": LINES}),
    }.get(change)
    path.unlink()
    if new is not None:
        path.write_bytes(pack(new))
    with pytest.raises(SourceError) as caught:
        open_content(path, acquisition, limits)
    assert caught.value.where == str(path)


def test_a_large_file_that_changes_while_it_is_framed_gives_nothing_of_the_change(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(LINES)
    content = open_content(path, surveyed(path, STREAMED), STREAMED)
    frames = frame(content, (), STREAMED)
    taken = [next(frames)]
    with path.open("r+b") as file:
        file.seek(-20, os.SEEK_END)
        file.write(b"y")
    with pytest.raises(SourceError, match="changed"):
        taken.extend(frames)
    assert all(framed.raw == LINES[framed.at : framed.at + framed.length] for framed in taken)
    assert all(framed.problem is None for framed in taken)


def test_one_walk_opens_every_member_and_names_the_missing(tmp_path: Path) -> None:
    path = tmp_path / "logs.tgz"
    members = {"a": b"1", "b/c.gz": gzip.compress(LINES), "d": LINES}
    path.write_bytes(tar_of(members))
    found = [item for item in survey(path, STREAMED) if isinstance(item, Acquisition)]
    opened = {item.member: content for item, content in open_contents(path, [found[2], found[1]], STREAMED)}
    assert list(opened) == ["b/c.gz", "d"]
    for content in opened.values():
        assert isinstance(content, Content)
        assert b"".join(content.blocks()) == LINES
    path.write_bytes(tar_of({"a": b"1"}))
    after = {item.member: content for item, content in open_contents(path, found, STREAMED)}
    assert [type(content) for content in after.values()] == [Content, SourceError, SourceError]


def test_framing_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    limits = Limits(whole=MIB, max_record=MIB)
    path = tmp_path / "log.gz"
    record = b'{"eventID":"' + random.Random(1).randbytes(400).hex().encode() + b'"}\n'
    path.write_bytes(gzip.compress(record * 40_000, 1))
    tracemalloc.start()
    content = open_content(path, surveyed(path, limits), limits)
    count = sum(framed.problem is None for framed in frame(content, (), limits))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 40_000
    assert content.size > 30 * MIB
    assert peak < 12 * MIB


def test_content_at_hand() -> None:
    content = Content.of(LINES)
    assert b"".join(content.blocks()) == content.whole == LINES
    assert hashlib.sha256(LINES).digest() == hashlib.sha256(b"".join(Content.of(LINES).blocks())).digest()
