"""Archives whose pinned checksum somebody has made fit: nothing outside is written or read, and memory is bounded."""

from __future__ import annotations

import io
import pathlib
import zipfile

import pytest

from shortlist.datasets import movielens_100k as ml
from shortlist.datasets.sources import zip_members
from shortlist.datasets.types import Context, SourceError
from tests.shortlist.datasets import tiny
from tests.shortlist.datasets.servers import serving


@pytest.fixture
def archive(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    return folder / "x.zip"


def files_of(folder: pathlib.Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_other_names_of_an_archive_write_nothing(tmp_path: pathlib.Path) -> None:
    outside = dict.fromkeys(["../out", "../../../out", str(tmp_path / "out"), "a/../../out", "..\\out"], b"out")
    hostile = tiny.zipped(tiny.GROUPLENS | outside)
    data_dir, scratch = tmp_path / "data", tmp_path / "data" / "scratch"
    scratch.mkdir(parents=True)
    with serving({"/ml.zip": hostile}) as server:
        source = tiny.archive(server.url("/ml.zip"), hostile)
        assert source.build(Context(data_dir, scratch, lambda _: None)) == tiny.NORMAL
    assert files_of(tmp_path) == []


def test_a_link_is_not_followed(archive: pathlib.Path) -> None:
    secret = archive.parent / "secret"
    secret.write_bytes(b"mine")
    archive.write_bytes(tiny.zipped({"data": str(secret).encode()}, links={"data"}))
    assert zip_members(archive, ["data"]) == {"data": str(secret).encode()}


def test_a_zip_bomb_is_refused_by_its_declared_size(archive: pathlib.Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data", bytes(10_000_000))
    assert archive.stat().st_size < 20_000
    with pytest.raises(SourceError, match=r"data has 10000000 bytes unpacked, over the 9999999 allowed"):
        zip_members(archive, ["data"], max_bytes=9_999_999)
    assert len(zip_members(archive, ["data"], max_bytes=10_000_000)["data"]) == 10_000_000


def test_a_bomb_that_lies_about_its_size_is_not_unpacked_further(archive: pathlib.Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data", bytes(10_000_000))
    size = (10_000_000).to_bytes(4, "little")
    assert buffer.getvalue().count(size) == 2  # In the member's own header and in the directory.
    archive.write_bytes(buffer.getvalue().replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(SourceError, match="the archive cannot be read"):
        zip_members(archive, ["data"], max_bytes=1000)


def damaged(content: bytes) -> bytes:
    at = len(content) // 4
    return content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + 8]) + content[at + 8 :]


def test_an_invalid_archive_is_a_source_error(archive: pathlib.Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data", bytes(range(256)) * 10)
    whole = buffer.getvalue()
    encrypted = bytearray(whole)
    for header in (b"PK\x03\x04", b"PK\x01\x02"):
        encrypted[whole.index(header) + (6 if header == b"PK\x03\x04" else 8)] |= 1
    for content in (b"", b"no zip", whole[:-10], damaged(whole), bytes(encrypted)):
        archive.write_bytes(content)
        with pytest.raises(SourceError, match="the archive cannot be read"):
            zip_members(archive, ["data"])
    archive.write_bytes(whole)
    with pytest.raises(SourceError, match=f"the archive lacks {ml.U_DATA}"):
        zip_members(archive, [ml.U_DATA])
