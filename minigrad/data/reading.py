"""How the readers open what the cache gives them: gzipped files, UTF-8 text, tables with tabs, tar archives.

Each names the file and the place in it where something is wrong. Nothing is ever unpacked to disk, unpickled or run.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

__all__ = ["check_choice", "decoded", "opened", "read_text", "read_tsv", "tar_members"]

GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """The bytes of a file, unzipped on the way where it is gzipped.

    Raises ValueError where the gzip stream is truncated or damaged.
    """
    path = Path(path)
    with path.open("rb") as raw:
        zipped = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not zipped:
            yield raw
            return
        try:
            with gzip.open(raw, "rb") as stream:
                yield cast(IO[bytes], stream)
        except EOFError as error:
            raise ValueError(f"{path} is truncated: its gzip stream has no end; delete it and get it again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is damaged ({error}); delete it and get it again") from error


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a UTF-8 file, plain or gzipped, line ends as they are and without a byte order mark.

    Raises ValueError where the bytes are no UTF-8, with the position of the first wrong one.
    """
    with opened(path) as stream:
        data = stream.read()
    return decoded(data, str(path)).removeprefix("\ufeff")


def decoded(data: bytes, source: str) -> str:
    """`data` as UTF-8; ValueError names `source` and the position of the first byte that is not."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{source} is not UTF-8: byte 0x{data[error.start]:02x} at position {error.start} (line {line}); "
            "convert it to UTF-8, or get it again"
        ) from error


def read_tsv(path: str | os.PathLike[str], columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The rows of a table: a line of column names, then a line a row, fields separated by tabs.

    Quotation marks are ordinary characters, as in the files of GLUE. `columns` are the names that the first line must
    have. Raises ValueError where it has others, or where a line has more or fewer fields (with its number).
    """
    lines = read_text(path).split("\n")  # not splitlines(), which cuts at a dozen other characters too
    if lines[-1] == "":
        lines.pop()
    rows = [tuple(line.removesuffix("\r").split("\t")) for line in lines]
    if not rows or rows[0] != tuple(columns):
        found = ", ".join(map(repr, rows[0])) if rows else "nothing"
        raise ValueError(f"{path} starts with {found}, expected the columns {', '.join(map(repr, columns))}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise ValueError(
                f"{path}, line {number} has {len(row)} field{'s' * (len(row) != 1)}, expected {len(columns)} "
                f"separated by tabs ({', '.join(columns)}): {lines[number - 1][:60]!r}"
            )
    return rows[1:]


def tar_members(path: str | os.PathLike[str], wanted: Callable[[str], Any]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each plain file in a tar.gz whose name is `wanted`, in the archive's order.

    All happens in memory, so no name can write anywhere; an archive that tries (absolute names, `..`) is refused all
    the same, since nobody should unpack it by hand either. Links and devices are passed over.

    Raises RuntimeError for such an archive, and for one that is truncated or damaged.
    """
    import tarfile  # slow to import, and most runs come by without

    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if _leaves_its_folder(member.name):
                    raise RuntimeError(f"{path} is not to be trusted: its member {member.name!r} leaves its folder")
                if member.isreg() and wanted(member.name):
                    stream = archive.extractfile(member)
                    assert stream is not None  # None is for links and devices
                    yield member.name, stream.read()
            assert archive.fileobj is not None
            while archive.fileobj.read(1 << 18):  # to the end of the file, where gzip keeps the checksum
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise RuntimeError(f"{path} is truncated or damaged ({error}); delete it and get it again") from error


def _leaves_its_folder(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "" or parts[0].endswith(":") or ".." in parts


def check_choice(kind: str, what: str, given: Any, known: Sequence[str]) -> None:
    """Raises ValueError where `given` is none of the `known` names of a split (or of what `what` says)."""
    if given not in known:
        raise ValueError(f"{kind} has no {what} {given!r}; it has {', '.join(map(repr, known))}")
