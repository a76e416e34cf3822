"""From the pseudonym in an address back to the customer, for visitors whose personal data are masked.

Comes in: a visit and what an address names. Goes out: the id, None where nobody has this pseudonym. A real id is no pseudonym: whoever sees
pseudonyms only cannot find out which one belongs to an id they know.
"""

from __future__ import annotations

import streamlit as st

from customer_genome.interfaces.dashboard.session import Visit, masked_id


def id_behind(seen: Visit, named: str) -> str | None:
    """Return the id of the customer an address names."""
    return _found(seen, named, seen.key) if seen.masks else named


@st.cache_data(max_entries=1000, show_spinner=False)
def _found(_seen: Visit, pseudonym: str, key: str) -> str | None:
    """Return the id with a pseudonym, looked for among all customers once."""
    del key
    for batch in _seen.genome.batches("select customer_id from customers"):
        for customer_id in batch.column(0).to_pylist():
            if masked_id(_seen, customer_id) == pseudonym:
                return str(customer_id)
    return None
