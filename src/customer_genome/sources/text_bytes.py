"""The bytes of a text file: how they are packed and which letters they stand for.

Comes in: a path or a block of bytes. Goes out: the compression, the encoding, decoded text, or an error for content
that is no text. At most `CHECKED_BYTES` of a file are read.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal, cast

import pyarrow as pa

from customer_genome.errors import SourceError, did_you_mean

Compression = Literal["none", "gzip", "zstd", "bz2", "xz"]

DAMAGES = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, pa.ArrowInvalid)
"""What reading a damaged or cut-off archive raises."""

CHECKED_BYTES = 1 << 28
UNPACKED_BYTES = 1 << 25

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"),
)  # fmt: skip
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


def compression_of(path: Path) -> Compression:
    """Return how a file is packed, by its first bytes and not by its name."""
    with path.open("rb") as file:
        head = file.read(6)
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "none")


def open_bytes(path: Path, compression: Compression) -> BinaryIO:
    """Open a file for reading its unpacked bytes."""
    if compression == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if compression == "zstd":
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, pa.CompressedInputStream(str(path), "zstd"))))
    if compression == "bz2":
        return cast(BinaryIO, bz2.open(path, "rb"))
    if compression == "xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    return path.open("rb")


# --- encoding ----------------------------------------------------------------------------------------------------


def encoding_of(path: Path, compression: Compression, blocks: Sequence[bytes], given: str | None) -> tuple[str, bool]:
    """Return the encoding of a file, and whether it is only assumed."""
    head = blocks[0]
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if given is not None:
        try:
            name = codecs.lookup(given).name
        except LookupError as err:
            known = (
                "utf-8",
                "utf-16",
                "utf-16-le",
                "utf-16-be",
                "cp1252",
                "latin-1",
                "cp437",
                "cp1250",
                "cp1251",
                "shift_jis",
                "gb18030",
            )
            raise SourceError(
                f'{path}: encoding = "{given}" is not known.{did_you_mean(given, known)} Known are, among others: {", ".join(known)}.'
            ) from err
        if name == "utf-8" and not (all(_is_utf8(block) for block in blocks) and _is_utf8_throughout(path, compression)):
            raise SourceError(
                f'{path} is not utf-8 throughout, although encoding = "{given}" says so. Often it is "cp1252" or "cp1250".'
            )
        return (marked if marked and name in ("utf-8", marked.removesuffix("-sig")) else name), False
    if marked:
        return marked, False
    wide = _unmarked_utf16(head)
    if wide:
        return wide, False
    if all(_is_utf8(block) for block in blocks) and _is_utf8_throughout(path, compression):
        return "utf-8", False
    return "cp1252", True


def _unmarked_utf16(head: bytes) -> str | None:
    """Return the UTF-16 that text without a byte order mark is written in: every other byte is nearly always zero."""
    even, odd = head[0:4096:2], head[1:4096:2]
    if len(odd) >= 4 and odd.count(0) > 0.6 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if len(even) >= 4 and even.count(0) > 0.6 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return None


def _is_utf8(block: bytes) -> bool:
    """Return whether a block is UTF-8, but for characters cut at its two ends."""
    start = next((place for place in range(min(4, len(block))) if block[place] & 0xC0 != 0x80), 0)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(block[start:], final=False)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8_throughout(path: Path, compression: Compression) -> bool:
    """Return whether the first `CHECKED_BYTES` of a file are UTF-8 (an umlaut may stand only near its end)."""
    limit = CHECKED_BYTES if compression == "none" else UNPACKED_BYTES
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_bytes(path, compression) as file:
            while limit > 0:
                block = file.read(1 << 20)
                if not block:
                    decoder.decode(b"", final=True)
                    return True
                limit -= len(block)
                decoder.decode(block, final=False)
    except UnicodeDecodeError:
        return False
    return True


def decoded(block: bytes, encoding: str, *, is_start: bool) -> str:
    """Return a block as text; what was cut at its ends is dropped."""
    if encoding == "cp1252":
        return decode_cp1252(block)
    name = encoding
    if encoding == "utf-16" or encoding == "utf-32":
        name = encoding if is_start else f"{encoding}-le"
    text = block.decode(name, errors="ignore")
    return text.removeprefix("\ufeff")


def decode_cp1252(block: bytes) -> str:
    """Return Windows text; the five bytes Windows leaves undefined are read as Latin-1."""
    try:
        return block.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(bytes([byte]).decode("cp1252", errors="ignore") or chr(byte) for byte in block)


def refuse_strangers(path: Path, head: bytes, encoding: str) -> None:
    """Raise SourceError for content that is no delimited text."""
    if not encoding.startswith(("utf-16", "utf-32")):
        sample = head[:8192]
        controls = sum(1 for byte in sample if byte < 32 and byte not in (1, 9, 10, 11, 12, 13, 28, 29, 30, 31))
        if (sample.count(0) > 0 and controls > 0.002 * len(sample)) or controls > 0.05 * len(sample):
            raise SourceError(
                f"{path} is not text: it holds control characters. Wanted: CSV (also .gz, .zst), Parquet or Excel. "
                "Export the data again, or say `encoding` in genome.toml if it is text in another encoding."
            )
    start = decoded(head[:512], encoding, is_start=True).lstrip().lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<table", "<head", "<meta", "<body")):
        advice = (
            "Some systems save a web page under that name: open it in a spreadsheet program and save it as .xlsx or CSV."
            if path.suffix.lower() in (".xls", ".xlsx")
            else "Often a download that asked for a login; download it again."
        )
        raise SourceError(f"{path} is a web page or XML, not a table. Wanted: CSV, Parquet or Excel. {advice}")
    if start.startswith("%pdf"):
        raise SourceError(f"{path} is a PDF. Wanted: CSV, Parquet or Excel. Export the table itself.")
    if start.startswith(('{"', "[{", "{\n", "[\n", "{ ", "[ ")):
        raise SourceError(
            f"{path} is JSON. Wanted: CSV, Parquet or Excel. Convert it, e.g. with pandas.read_json(...).to_parquet(...)."
        )
