"""Text of the shop's data inside pages, so that it can never be read as Markdown, and marks that need no colour.

Comes in: text from the data, such as customer ids, countries and names. Goes out: text that Markdown shows letter by letter.
Without this, an id such as `![](http://...)` in an uploaded file would make the browser load a picture from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:=&^\"'@/])")
_ADDRESSES = re.compile(r"https?(?=://)|www(?=\.)", re.IGNORECASE)
_WORD_JOINER = "\u2060"

BadgeColor = Literal["orange", "violet", "blue", "gray"]
RISK_MARKS: Mapping[str, tuple[str, BadgeColor]] = {"High": ("▲", "orange"), "Medium": ("◆", "violet"), "Low": ("●", "blue")}
"""Shape and colour of a risk band: the shapes tell the bands apart without colours."""
VALUE_MARKS: Mapping[str, tuple[str, BadgeColor]] = {"High": ("★", "blue"), "Medium": ("☆", "blue"), "Low": ("·", "gray")}


def plain(text: object) -> str:
    """Return text that Markdown shows as it stands, on one line.

    Web addresses are held together by an invisible sign, since Markdown makes links of them however they are escaped.

    Examples
    --------
    >>> plain("a*b*c")
    'a\\\\*b\\\\*c'
    """
    return _SIGNS.sub(r"\\\1", _ADDRESSES.sub(lambda found: found[0] + _WORD_JOINER, " ".join(str(text).split())))


def aside(markdown: str) -> str:
    """Return small grey Markdown that keeps a contrast of 4.5:1, which captions do not."""
    return f":small[:gray[{markdown}]]"


def money_in_markdown(text: str) -> str:
    """Return a formatted amount whose dollar sign opens no formula."""
    return text.replace("$", "\\$")
