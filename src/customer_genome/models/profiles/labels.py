"""Which columns are labels, and what they say: churn as 1 or 0, next spend as money.

Comes in: the cells of columns. Goes out: label columns recognised by their names, and labels as numbers (NaN where empty). A label that can be
read two ways is refused with what was found; nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from customer_genome.errors import AskError, ContractError
from customer_genome.models.estimator import Array
from customer_genome.models.profiles.columns import NO, YES, Cells, number_in
from customer_genome.models.profiles.learners import Task

CHURN_HEADERS = (
    "churnlabel", "churn", "churned", "ischurned", "ischurn", "haschurned", "churnflag", "churnstatus", "churnvalue", "churny n", "customerchurn",
    "exited", "attrition", "attritionflag", "hasleft", "willchurn", "churntarget",
)  # fmt: skip
SPEND_HEADERS = (
    "nextmonthspendlabel", "nextmonthspend", "nextspendlabel", "nextspend", "futurespend", "spendlabel", "spendtarget", "targetspend", "nextperiodspend",
    "nextquarterspend", "nextyearspend", "nextmonthrevenue", "futurerevenue", "nextrevenue", "futurevalue", "nextmonthsales",
)  # fmt: skip
ID_HEADERS = (
    "customerid", "customer", "custid", "clientid", "userid", "accountid", "memberid", "customernumber", "customerno", "clientnum", "kundennummer", "id",
)  # fmt: skip
_LABEL_LIKE = re.compile(
    r"churn|attrit|(^|_|\s)(label|target)($|_|\s)|next_?(month|quarter|year|period)?_?(spend|revenue|sales)", re.IGNORECASE
)
_CHURNED = frozenset({"churn", "churned", "left", "exited", "lost", "gone", "attrited", "attrited customer", "inactive"})
_STAYED = frozenset(
    {"stay", "stayed", "active", "retained", "existing", "existing customer", "loyal", "not churned", "no churn", "current"}
)


def recognised(names: Sequence[str]) -> dict[Task, str]:
    """Return the label columns that can be told by their names.

    Examples
    --------
    >>> recognised(["CustomerID", "Churn_Label", "Next_Month_Spend_Label", "Age"])
    {'churn': 'Churn_Label', 'spend': 'Next_Month_Spend_Label'}
    """
    found: dict[Task, str] = {}
    for task, headers in (("churn", CHURN_HEADERS), ("spend", SPEND_HEADERS)):
        by_form = {_form(name): name for name in reversed(names)}
        name = next((by_form[header] for header in headers if header in by_form), None)
        if name is not None:
            found[task] = name  # type: ignore[index]
    return found


def recognised_id(names: Sequence[str]) -> str | None:
    """Return the column that names the customer, by its header."""
    by_form = {_form(name): name for name in reversed(names)}
    return next((by_form[header] for header in ID_HEADERS if header in by_form), None)


def is_named_like_a_label(name: str) -> bool:
    """Return whether a column that is no label is called like one, so that it may hold the answer.

    Examples
    --------
    >>> is_named_like_a_label("Churn Reason"), is_named_like_a_label("Last_Month_Spend")
    (True, False)
    """
    return _LABEL_LIKE.search(name) is not None


def _form(name: str) -> str:
    """Return a header as it is compared: letters and digits only."""
    text = unicodedata.normalize("NFKD", name.replace("\ufeff", "")).casefold()
    return "".join(character for character in text if character.isalnum())


def churn_of(cells: Cells, name: str, churn_value: str | None = None) -> Array:
    """Return 1 for churn, 0 for none, NaN where the cell is empty.

    Parameters
    ----------
    churn_value : text, optional
        The value that means churn, where the words do not say it; every other value then means none.

    Raises
    ------
    AskError
        The values can be read two ways.
    ContractError
        They are no yes and no at all.
    """
    folded = [_plain(word) for word in cells.words]
    if churn_value is not None:
        wanted = _plain(churn_value)
        if wanted not in folded:
            raise ContractError(
                f'Label "{name}": no row holds "{churn_value}". It holds {_shown(cells)}. Name the value that means churn as it stands there.'
            )
        return cells.spread([float(word == wanted) for word in folded])
    meant = [1.0 if word in YES | _CHURNED else 0.0 if word in NO | _STAYED else None for word in folded]
    if all(value is not None for value in meant):
        return cells.spread([value for value in meant if value is not None])
    if len(set(folded)) == 2:
        raise AskError(
            f'Label "{name}" holds {_shown(cells)}: which of them means churn? Say so with --churn-value (churn_value in Python).'
        )
    unread = [word for word, value in zip(cells.words, meant, strict=True) if value is None]
    raise ContractError(
        f'Label "{name}" holds {len(set(folded)):,} different values, among them {", ".join(repr(word) for word in unread[:3])}. Wanted: yes and no in any spelling '
        "(1 and 0, TRUE and FALSE), or name the one value that means churn with --churn-value."
    )


def spend_of(cells: Cells, name: str) -> Array:
    """Return money as numbers, NaN where the cell is empty.

    Raises
    ------
    ContractError
        A cell is no number.
    """
    if cells.numbers is not None:
        return cells.numbers
    readings = [[number_in(word, mark) for word in cells.words] for mark in (".", ",")]
    numbers = min(readings, key=lambda one: int(np.isnan(one).sum()) if one else 0)
    unread = [word for word, value in zip(cells.words, numbers, strict=True) if np.isnan(value)]
    if unread:
        raise ContractError(
            f'Label "{name}": {len(unread):,} different cells are no numbers, such as {", ".join(repr(word) for word in unread[:3])}. Wanted: money as plain numbers, '
            "empty where it is not known. Correct them, or name another column with --spend-label."
        )
    return cells.spread(numbers)


def task_of(cells: Cells, name: str) -> Task:
    """Return which kind of label a column is by its values: two of them mean churn, many numbers money.

    Raises
    ------
    ContractError
        It is neither.
    """
    if len({_plain(word) for word in cells.words}) <= 2:
        return "churn"
    if cells.numbers is not None or all(
        np.isfinite(number_in(word)) or np.isfinite(number_in(word, ",")) for word in cells.words
    ):
        return "spend"
    raise ContractError(f'Label "{name}" is neither yes and no nor money: it holds {_shown(cells)}. Name another column.')


def _plain(word: str) -> str:
    """Return a word as it is compared; 1.0 counts as 1."""
    folded = " ".join(word.casefold().replace("_", " ").split()).rstrip(".")
    return folded[:-2] if folded in ("1.0", "0.0") else folded


def _shown(cells: Cells) -> str:
    return ", ".join(f'"{word}"' for word in cells.words[:4]) + (", ..." if len(cells.words) > 4 else "")
