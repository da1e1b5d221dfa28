"""Small files in the layout of public data sets, put into a data cache of the test's own."""

import gzip
import hashlib
import io
import tarfile
import zipfile

from minigrad.data import DataFile, cache_dir


def put(name, content):
    """Lay a file into the cache; returns what its entry in a reader's table is: (sha256, size)."""
    path = cache_dir() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest(), len(content)


def put_files(monkeypatch, kind, folder, files):
    """Lay `files` (name -> text or bytes) into the cache, and their checksums into the reader's table."""
    table = {}
    for name, content in files.items():
        content = content.encode() if isinstance(content, str) else content
        table[name] = put(f"{folder}/{name}", gzip.compress(content) if name.endswith(".gz") else content)
    monkeypatch.setattr(kind, "files", {**kind.files, **table})


def put_archive(monkeypatch, kind, content, url="https://example.org/nowhere"):
    """Lay the archive of a reader into the cache, and its checksum into the reader."""
    sha256, size = put(kind.archive.name, content)
    monkeypatch.setattr(kind, "archive", DataFile(kind.archive.name, url, sha256, size))


def tar_gz(files, links=()):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return packed.getvalue()


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
