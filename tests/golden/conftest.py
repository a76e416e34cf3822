"""CDNOW as the papers use it: 2,357 customers, calibration to 1997-09-30, one row per purchase day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

CALIBRATION_ENDS = date(1997, 9, 30)


@dataclass(frozen=True)
class Cdnow:
    """Repeat purchase days x, days t_x and T, and the mean spend per repeat purchase day (0 without one), in the order of the sample."""

    frequency: np.ndarray
    recency_days: np.ndarray
    age_days: np.ndarray
    mean_spend: np.ndarray

    @property
    def weeks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.frequency, self.recency_days / 7, self.age_days / 7


@pytest.fixture(scope="session")
def cdnow(genome_data: Path) -> Cdnow:
    """Columns of the file: master id, sample id, date, number of CDs, dollars."""
    days: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in (genome_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        if not line.strip():
            continue
        _, customer, day, _, dollars = line.split()
        on = datetime.strptime(day, "%Y%m%d").date()
        if on <= CALIBRATION_ENDS:
            days[customer][on] += float(dollars)
    rows = []
    for customer in sorted(days):
        first, *rest = sorted(days[customer])
        last = rest[-1] if rest else first
        mean = float(np.mean([days[customer][day] for day in rest])) if rest else 0.0
        rows.append((len(rest), (last - first).days, (CALIBRATION_ENDS - first).days, mean))
    columns = np.array(rows, dtype=float).T
    return Cdnow(*columns)
