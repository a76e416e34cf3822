"""Which files of a source are new, and which have grown at their end.

Comes in: the files of a source and what is remembered of those loaded before. Goes out: the files to read, each new row of
them once, and what to remember next time. A file is known by the digest of its content; one whose size and time are
remembered is not even opened. Of a text file that grew, a copy of its header and of the new end is read.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from customer_genome.errors import SourceError
from customer_genome.sources.places import kind_of
from customer_genome.sources.text_bytes import compression_of
from customer_genome.sources.text_files import TextHints, look_at

if TYPE_CHECKING:
    from _hashlib import HASH

_BLOCK = 1 << 20
_MOST_HEADER_BYTES = 1 << 18
_LINES_END_IN_ONE_BYTE = ("utf-8", "utf-8-sig", "ascii", "cp1252", "iso8859-1")


@dataclass(frozen=True)
class LoadedFile:
    """A file as it was when its rows were loaded.

    Attributes
    ----------
    size : bytes that were read
    modified_ns : time of the last change, nanoseconds since 1970; 0 where it changed while it was read
    digest : SHA-256 of those bytes
    """

    path: str
    size: int
    modified_ns: int
    digest: str


@dataclass(frozen=True)
class FileMark:
    """Size and time of a file before it is read, so that what is written meanwhile is read next time."""

    path: str
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: str | Path) -> FileMark:
        """Return the mark of a file."""
        place = Path(path).absolute()
        stat = place.stat()
        return cls(str(place), stat.st_size, stat.st_mtime_ns)

    def digested(self) -> LoadedFile:
        """Return the file with the digest of its content."""
        with Path(self.path).open("rb") as file:
            return LoadedFile(self.path, self.size, self.modified_ns, _digest_of(file, self.size).hexdigest())


@dataclass(frozen=True)
class Arrivals:
    """What of a source has to be read.

    Attributes
    ----------
    files : what an engine reads: new files as they are, copies of the ends of grown ones
    read : the files behind them, as the user knows them
    skipped : files whose rows are all loaded
    loaded : what to remember of every file of the source that is not remembered yet, once its rows are loaded
    replaced : files that were loaded with other content; all their rows are read
    """

    files: tuple[Path, ...] = ()
    read: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    loaded: tuple[LoadedFile, ...] = ()
    replaced: tuple[str, ...] = ()


def find_arrivals(files: Sequence[Path], known: Sequence[LoadedFile], hints: TextHints, folder: Path) -> Arrivals:
    """Return what of the files of a source is not loaded yet.

    Parameters
    ----------
    known : every file loaded before
    hints : what the user said about text files of the source
    folder : Path
        Where copies of the ends of grown files may be written.

    Raises
    ------
    SourceError
        When a file cannot be opened or a copy cannot be written.
    """
    by_path = {file.path: file for file in known}
    digests = {file.digest: file.size for file in known}
    sizes = sorted(set(digests.values()))
    to_read: list[Path] = []
    read, skipped, loaded, replaced = [], [], [], []
    for path in files:
        try:
            mark = FileMark.of(path)
            before = by_path.get(mark.path)
            if before and (before.size, before.modified_ns) == (mark.size, mark.modified_ns):
                skipped.append(str(path))
                continue
            digest, n_loaded = _looked_over(path, mark.size, digests, sizes)
            loaded.append(LoadedFile(mark.path, mark.size, mark.modified_ns, digest))
            if digest in digests:
                skipped.append(str(path))
                continue
            digests[digest] = mark.size
            end = _end_of(path, n_loaded, hints, folder) if n_loaded else None
            if before and not n_loaded:
                replaced.append(str(path))
            to_read.append(end or path)
            read.append(str(path))
        except OSError as err:
            raise SourceError(
                f"{path} cannot be read: {err.strerror or err}. Check its permissions and free disk space."
            ) from err
    return Arrivals(tuple(to_read), tuple(read), tuple(skipped), tuple(loaded), tuple(replaced))


def known_again(loaded: Sequence[LoadedFile], known: Sequence[LoadedFile]) -> tuple[LoadedFile, ...]:
    """Return what is remembered of all files after those of `loaded` have been read.

    The time of a file that changed while it was read is forgotten, so that it is looked over next time.
    """
    settled = (file if _is_as_marked(file) else replace(file, modified_ns=0) for file in loaded)
    after: Mapping[str, LoadedFile] = {file.path: file for file in known} | {file.path: file for file in settled}
    return tuple(after.values())


def _is_as_marked(file: LoadedFile) -> bool:
    """Return whether a file is still there with the size and time it had."""
    try:
        mark = FileMark.of(file.path)
    except OSError:
        return False
    return (mark.size, mark.modified_ns) == (file.size, file.modified_ns)


def _looked_over(path: Path, size: int, digests: Mapping[str, int], sizes: Sequence[int]) -> tuple[str, int]:
    """Return the digest of a file, and how many of its first bytes are a file that was loaded, wherever that stood."""
    digest, done, loaded = hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        for end in [*(known for known in sizes if known < size), size]:
            for block in _blocks(file, end - done):
                digest.update(block)
            done = end
            if end < size and digests.get(digest.hexdigest()) == end:
                loaded = end
    return digest.hexdigest(), loaded


def _digest_of(file: BinaryIO, size: int) -> HASH:
    """Return the digest of the next bytes of a file."""
    digest = hashlib.sha256()
    for block in _blocks(file, size):
        digest.update(block)
    return digest


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next bytes of a file in blocks."""
    while size > 0 and (block := file.read(min(_BLOCK, size))):
        size -= len(block)
        yield block


def _end_of(path: Path, start: int, hints: TextHints, folder: Path) -> Path | None:
    """Write the header of a text file and what follows `start` into a file of their own; None where that cannot be told."""
    if kind_of(path) != "text" or compression_of(path) != "none":
        return None
    form = look_at(path, hints)
    if form.encoding not in _LINES_END_IN_ONE_BYTE:
        return None
    with path.open("rb") as file:
        head = _head_of(file.read(_MOST_HEADER_BYTES), form.skipped_lines + (form.header is not None), form.quote)
        if head is None or len(head) > start:
            return None
        file.seek(start - 1)
        last = file.read(1)
        if last not in (b"\n", b"\r"):  # the last line was not ended: what follows must begin with its end
            following = file.read(2)
            skipped = 2 if following == b"\r\n" else 1 if following[:1] == b"\n" else 0
            if not skipped:
                return None
            start += skipped
        file.seek(start)
        folder.mkdir(parents=True, exist_ok=True)
        place = hashlib.sha256(f"{path.absolute()} {start}".encode()).hexdigest()[:12]
        target = folder / f"{path.stem}-from-{place}{path.suffix or '.csv'}"
        with target.open("wb") as out:
            out.write(head)
            shutil.copyfileobj(file, out, _BLOCK)
    return target if target.stat().st_size > len(head) else None


def _head_of(block: bytes, n_lines: int, quote: str) -> bytes | None:
    """Return the first lines that hold anything; None where they do not end there or a quoted line break stands in them."""
    end = found = 0
    while found < n_lines:
        stop = block.find(b"\n", end)
        if stop < 0:
            return None
        found += bool(block[end:stop].strip(b"\r \t\xef\xbb\xbf"))
        end = stop + 1
    head = block[:end]
    return None if quote and head.count(quote.encode()) % 2 else head
