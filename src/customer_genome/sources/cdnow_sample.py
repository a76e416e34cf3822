"""The one-tenth sample of CDNOW, as the papers on purchase models use it: found, read, and turned into histories.

Comes in: where the data are, or nothing (then the folder named by GENOME_DATA). Goes out: per customer of the sample the repeat
purchase days, the days from first to last and from first to the end of calibration, and the mean spend on repeat
purchase days. Several orders on one day are one purchase day. Nothing here fits a model.

Source
------
Fader & Hardie, CDNOW data (brucehardie.com/datasets): 2,357 customers who first bought in January to March 1997; the papers calibrate
on purchases up to 30 September 1997 and leave the first purchase out of the spend.
"""

from __future__ import annotations

import datetime as dt
import io
import os
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from customer_genome.errors import SourceError
from customer_genome.sources.public import DATA_FOLDER_VARIABLE, PUBLIC_DATA

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

CALIBRATION_ENDS: Final = dt.date(1997, 9, 30)
SAMPLE_FILE: Final = "CDNOW_sample.txt"
ARCHIVE: Final = "CDNOW_sample.zip"
N_CUSTOMERS: Final = 2357


@dataclass(frozen=True)
class CdnowSample:
    """The sample at the end of calibration, one entry per customer in the order of their ids.

    Attributes
    ----------
    frequency : whole numbers, repeat purchase days (x)
    recency_days, age_days : days (t_x and T)
    mean_spend : dollars per repeat purchase day, 0 for customers without one
    path : the file that was read
    """

    frequency: npt.NDArray[np.float64]
    recency_days: npt.NDArray[np.float64]
    age_days: npt.NDArray[np.float64]
    mean_spend: npt.NDArray[np.float64]
    path: Path


def find_cdnow_sample(location: Path | None = None) -> Path:
    """Return the file of the sample (or its archive).

    Parameters
    ----------
    location : Path, optional
        The file, or a folder that holds it or whose folders hold it; by default the folder named by GENOME_DATA.

    Raises
    ------
    SourceError
        Saying where it was looked for and where it can be had.
    """
    named = os.environ.get(DATA_FOLDER_VARIABLE)
    place = location or (Path(named) if named else None)
    if place is not None and place.is_file():
        return place
    if place is not None and place.is_dir():
        for pattern in ("*", "*/*"):
            found = {path.name.lower(): path for path in sorted(place.glob(pattern)) if path.is_file()}
            for name in (SAMPLE_FILE, ARCHIVE):
                if name.lower() in found:
                    return found[name.lower()]
    where = (
        f"the variable {DATA_FOLDER_VARIABLE} names no folder"
        if place is None
        else f"{place} {'holds no ' + SAMPLE_FILE if place.is_dir() else 'does not exist'}"
    )
    raise SourceError(
        f"The CDNOW sample was not found: {where}. Download {ARCHIVE} from {PUBLIC_DATA['cdnow'].home} and name the file or its folder, "
        f"or set {DATA_FOLDER_VARIABLE}."
    )


def read_cdnow_sample(location: Path | None = None) -> CdnowSample:
    """Return the sample's histories up to 30 September 1997.

    Raises
    ------
    SourceError
        The file is not there, cannot be read, or is not the published sample.
    """
    import numpy as np

    path = find_cdnow_sample(location)
    days: dict[str, dict[dt.date, float]] = defaultdict(lambda: defaultdict(float))
    for number, line in enumerate(_text_of(path).splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            _, customer, on, _, dollars = parts
            day, spent = dt.datetime.strptime(on, "%Y%m%d").date(), float(dollars)
        except ValueError as err:
            raise SourceError(
                f"{path}, line {number}: got {line.strip()[:60]!r}. Wanted: five columns set apart by blanks (master id, sample id, "
                f"date as YYYYMMDD, CDs, dollars), as in {SAMPLE_FILE} from {PUBLIC_DATA['cdnow'].home}."
            ) from err
        if day <= CALIBRATION_ENDS:
            days[customer][day] += spent
    if len(days) != N_CUSTOMERS:
        raise SourceError(
            f"{path}: got {len(days):,} customers up to {CALIBRATION_ENDS}. Wanted: the {N_CUSTOMERS:,} of the published sample. "
            f"Download {ARCHIVE} again from {PUBLIC_DATA['cdnow'].home}."
        )
    rows = []
    for _, spent_on in sorted(days.items()):
        first, *rest = sorted(spent_on)
        mean = sum(spent_on[day] for day in rest) / len(rest) if rest else 0.0
        rows.append((len(rest), ((rest[-1] if rest else first) - first).days, (CALIBRATION_ENDS - first).days, mean))
    frequency, recency_days, age_days, mean_spend = np.array(rows, dtype=np.float64).T
    return CdnowSample(frequency, recency_days, age_days, mean_spend, path)


def _text_of(path: Path) -> str:
    """Return the text of the file, or of the one text file in an archive."""
    try:
        if path.suffix.lower() != ".zip":
            return path.read_text(encoding="ascii", errors="replace")
        with zipfile.ZipFile(path) as packed:
            names = [name for name in packed.namelist() if Path(name).name.lower() == SAMPLE_FILE.lower()]
            if not names:
                raise SourceError(f"{path}: holds no {SAMPLE_FILE}. Download it again from {PUBLIC_DATA['cdnow'].home}.")
            return io.TextIOWrapper(packed.open(names[0]), encoding="ascii", errors="replace").read()
    except (OSError, zipfile.BadZipFile) as err:
        raise SourceError(f"{path} cannot be read: {err}. Download it again from {PUBLIC_DATA['cdnow'].home}.") from err
