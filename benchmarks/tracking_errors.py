"""How far the forecast of purchase days was off on weeks the model had not seen, on every public shop at hand.

    GENOME_DATA=../shared/data python benchmarks/tracking_errors.py [--json]

For each data set the whole path is run; what is printed is the published table `tracking_error`, with the share of customers that
the model puts into the right class of repeats. docs/tracking.md shows the result.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from customer_genome import Genome, run


def shops(folder: Path) -> dict[str, Any]:
    """Return what to run by name: a public name, or a table of lines."""
    apparel = pq.read_table(folder / "btyd" / "apparelTrans.parquet")
    grocery = pq.read_table(folder / "btyd" / "groceryElog.parquet")
    return {
        "CDNOW": "cdnow",
        "Online Retail": "online-retail",
        "Online Retail II": "online-retail-ii",
        "Complete Journey": "complete-journey",
        "Apparel": lines_of(apparel),
        "Grocery": lines_of(grocery),
    }


def lines_of(table: pa.Table) -> pa.Table:
    """Return a table of purchases under the names of the contract; without money every purchase is worth 1."""
    names = {name.lower(): name for name in table.column_names}
    customer = next(names[name] for name in ("id", "cust", "customer") if name in names)
    money = next((names[name] for name in ("price", "sales") if name in names), None)
    amount = table[money] if money else pa.array([1.0] * len(table))
    return pa.table({"customer_id": table[customer].cast(pa.string()), "ordered_at": table[names["date"]], "amount": amount})


def measure(data: Any) -> dict[str, Any]:
    """Run the path on one data set; return how far the forecast was off."""
    with tempfile.TemporaryDirectory() as workspace:
        run(data, workspace)
        with Genome.open(workspace) as genome:
            row: dict[str, Any] = genome.table("tracking_error").to_pylist()[0]
            fit = genome.table("frequency_fit").to_pylist()
            clock = [line for line in genome.manifest["fit"] if "learned clock" in line or line.startswith("Season")]
    total = sum(line["customers"] for line in fit)
    wrong = sum(abs(line["customers"] - line["expected_customers"]) for line in fit) / 2
    return row | {"customers_in_place": 1 - wrong / total, "clock": clock}


def main() -> None:
    """Measure every shop and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="*", default=())
    arguments = parser.parse_args()
    found = {
        name: measure(data)
        for name, data in shops(Path(os.environ["GENOME_DATA"])).items()
        if not arguments.only or name in arguments.only
    }
    if arguments.json:
        print(json.dumps(found, indent=1, default=str))
        return
    print("| shop | model | customers | held back | actual | expected | total | week | in place |")
    for name, row in found.items():
        print(
            f"| {name} | {row['model']} | {row['customers']:,} | {row['holdout_days']} days from {row['calibration_on']} | {row['actual']:,.0f} | "
            f"{row['expected']:,.0f} | {row['error_of_total']:+.1%} | {row['error_of_weeks']:.1%} | {row['customers_in_place']:.1%} |"
        )


if __name__ == "__main__":
    main()
