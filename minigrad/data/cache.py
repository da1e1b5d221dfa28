"""The folder in which data files are kept, and the one way they get there.

A reader names a `DataFile` and asks `fetch` for its path. The file is looked for in `cache_dir()`; what is there is
checked against the known sha256, and only what is missing is downloaded. A file that is there but differs is never
overwritten: it may be somebody's own. `fetch_member` does the same for a file that is handed out inside a zip archive.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

__all__ = ["DataFile", "cache_dir", "fetch", "fetch_member"]

BLOCK = 1 << 18  # bytes read at a time
PATIENCE = 30.0  # seconds without an answer before a download gives up
_verified: dict[Path, tuple[int, int]] = {}  # files found sound in this process: path -> (mtime in ns, size)


@dataclass(frozen=True)
class DataFile:
    """A file of a data set: its place in the cache (`dataset/file`), where it comes from, and how to know it."""

    name: str
    url: str
    sha256: str
    size: int  # bytes


def cache_dir() -> Path:
    """The cache folder: `$MINIGRAD_DATA` where set, else `minigrad` in the platform's folder for caches.

    That folder is %LOCALAPPDATA% on Windows, ~/Library/Caches on macOS, and elsewhere $XDG_CACHE_HOME or ~/.cache.
    """
    chosen = os.environ.get("MINIGRAD_DATA")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "minigrad"


def fetch(file: DataFile) -> Path:
    """The path of a sound copy of `file`: the one in the cache, or one downloaded into it now.

    Raises RuntimeError for a copy that is truncated or altered (in the cache, or as it arrived), ConnectionError where
    the download fails, and OSError where the folder cannot be written. An interrupted download leaves nothing behind.
    """
    path = cache_dir() / file.name
    if path.exists():
        _check_cached(path, file)
    else:
        _download(path, file)
    return path


def fetch_member(file: DataFile, archive: DataFile, member: str) -> Path:
    """The path of a sound copy of `file`, which is handed out as a `member` of a zip archive.

    Where the cache has the file, the archive is not looked at. Else the archive is fetched and the member's bytes are
    stored under `file.name`, whole or not at all. No name inside an archive ever becomes a path.

    Raises as `fetch`, and RuntimeError for an archive that is damaged or lacks the member.
    """
    path = cache_dir() / file.name
    if path.exists():
        _check_cached(path, file)
    else:
        packed = fetch(archive)
        _store(path, file, _unzipped(packed, member), f"{packed} holds")
    return path


def _check_cached(path: Path, file: DataFile) -> None:
    import hashlib  # like the imports below: slow, and most runs come by without

    status = path.stat()
    stamp = (status.st_mtime_ns, status.st_size)
    if _verified.get(path) == stamp:
        return
    digest = ""
    if status.st_size == file.size:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != file.sha256:
        raise RuntimeError(
            f"{path} is not the file that belongs there: {_difference(file, status.st_size, digest)}. "
            f"Delete it to have it downloaded again from {file.url}, or point MINIGRAD_DATA at another folder"
        )
    _verified[path] = stamp


def _difference(file: DataFile, size: int, digest: str) -> str:
    if size != file.size:
        change = "truncated" if size < file.size else "too long"
        return f"{change}, {size:,} bytes where {file.size:,} are expected"
    return f"altered, sha256 {digest} where {file.sha256} is expected"


def _download(path: Path, file: DataFile) -> None:
    print(f"Downloading {file.name} ({_readable(file.size)}) from {file.url} to {path}", file=sys.stderr)
    _store(path, file, _blocks(path, file), f"{file.url} sent")


def _store(path: Path, file: DataFile, blocks: Iterator[bytes], source: str) -> None:
    """Write to a temporary file beside `path`, check it, and only then give it its name.

    At most one block more than is expected is taken: neither an endless answer nor a zip bomb fills the disk.
    """
    import hashlib
    import tempfile

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise type(error)(
            error.errno,
            f"cannot write {file.name} into the data cache {cache_dir()} ({error.strerror}); set MINIGRAD_DATA to a "
            f"folder that can be written, or to one that has the file",
        ) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            digest, size = hashlib.sha256(), 0
            for block in blocks:
                stream.write(block)
                digest.update(block)
                size += len(block)
                if size > file.size:
                    break
        if size != file.size or digest.hexdigest() != file.sha256:
            raise RuntimeError(
                f"{source} something else than {file.name}: {_difference(file, size, digest.hexdigest())}. "
                f"Nothing was kept; try again, or put the right file at {path}"
            )
        os.chmod(temporary, 0o644)  # mkstemp's own mode would hide the file from the others who share a cache
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too
        Path(temporary).unlink(missing_ok=True)
        raise
    status = path.stat()
    _verified[path] = (status.st_mtime_ns, status.st_size)


def _unzipped(path: Path, member: str) -> Iterator[bytes]:
    """The bytes of one member of a zip archive."""
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(path) as archive:
            if member not in archive.namelist():
                raise RuntimeError(f"{path} lacks {member}; delete it and get it again")
            with archive.open(member) as stream:
                while block := stream.read(BLOCK):
                    yield block
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise RuntimeError(f"{path} is truncated or damaged ({error}); delete it and get it again") from error


def _blocks(path: Path, file: DataFile) -> Iterator[bytes]:
    """The bytes at the file's address, with a progress line."""
    import http.client
    import urllib.request

    request = urllib.request.Request(file.url, headers={"User-Agent": "minigrad"})
    done, start = 0, time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            while block := answer.read(BLOCK):
                done += len(block)
                _show_progress(sys.stderr, file, done, time.monotonic() - start)
                yield block
    except (OSError, http.client.HTTPException) as error:  # URLError, time-outs and lost connections are OSErrors
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(
            f"cannot download {file.name} from {file.url}: {reason}. Without a connection, copy the file to {path}, "
            f"or set MINIGRAD_DATA to a folder that has {file.name}"
        ) from error


def _show_progress(out: IO[str] | Any, file: DataFile, done: int, seconds: float) -> None:
    """Rewrite one line of a terminal; say nothing where the output is a file."""
    if out.isatty():
        rate = _readable(done / max(seconds, 1e-3))
        end = "\n" if done >= file.size else ""
        out.write(f"\r{file.name}: {done / max(file.size, 1):4.0%} of {_readable(file.size)}, {rate}/s  {end}")
        out.flush()


def _readable(size: float) -> str:
    for unit in ("bytes", "kB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.1f} MB"
