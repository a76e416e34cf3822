"""The row ledger as a table: every input row in one class, adding up to the input in rows and money."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces.dashboard.markup import aside
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.figures import count
from customer_genome.interfaces.views.overview import ledger
from customer_genome.interfaces.views.row_classes import CLASS_WORDS, RATINGS_WORDS, TOTALS_WORDS


def show_ledger(seen: Visit) -> None:
    """Show where every input row went."""
    rows = ledger(seen.genome).to_pylist()
    n_rows, revenue = sum(row["n_rows"] for row in rows), sum(row["revenue"] or 0.0 for row in rows)
    rows.append({"row_class": "all rows", "n_rows": n_rows, "row_share": 1.0 if n_rows else None, "revenue": revenue})
    words = {
        **{"customers": TOTALS_WORDS, "ratings": RATINGS_WORDS}.get(seen.genome.level, CLASS_WORDS),
        "all rows": "every row of the input",
    }
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    has_money = seen.genome.level != "ratings"
    money = {"money": [row["revenue"] for row in rows]} if has_money else {}
    st.dataframe(
        pa.table(
            {
                "class": [row["row_class"].replace("_", " ") for row in rows],
                "rows": [row["n_rows"] for row in rows],
                "share": [row["row_share"] for row in rows],
                **money,
                "meaning": [words.get(row["row_class"], "") for row in rows],
            }
        ),
        hide_index=True,
        height="content",
        column_config={
            "class": "Class",
            "rows": st.column_config.NumberColumn("Rows", format="%,d"),
            "share": st.column_config.NumberColumn("Share", format="percent", step=0.001),
            "money": st.column_config.NumberColumn(f"Money{unit}", format="%,.0f"),
            "meaning": "What it is",
        },
        alt=f"Where the {count(n_rows)} input rows went, by class.",
    )
    st.markdown(
        aside(
            f"{count(n_rows)} rows of input{'; money is signed, so cancellations count against it' if has_money else ''}. "
            "Refused rows stay in the quarantine: `genome export --table quarantine --output refused.csv`."
        )
    )
