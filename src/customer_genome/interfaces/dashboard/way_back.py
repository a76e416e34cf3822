"""Where somebody wanted to go before they had to sign in: kept on the server, since the provider sends everybody back to the first page.

Comes in: the address of a visitor who is not in yet. Goes out: that address, once, to the same browser after it has signed in. A browser
is known by the cookie that protects its forms; of the address only the page and its query are kept, so nobody is ever led elsewhere.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from urllib.parse import urlsplit

import streamlit as st

COOKIE = "_streamlit_xsrf"
KEPT_SECONDS = 900.0
MOST_KEPT, MOST_LETTERS = 1000, 4000


@dataclass
class WaysBack:
    """The addresses of those who are signing in, the latest last; old ones and those beyond `MOST_KEPT` are forgotten."""

    _kept: dict[str, tuple[float, str, Mapping[str, Sequence[str]]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, browser: str, page: str, query: Mapping[str, Sequence[str]], now: float) -> None:
        """Keep where a browser wanted to go; an address of more than `MOST_LETTERS` letters is not kept."""
        if not browser or sum(len(name) + sum(map(len, values)) for name, values in query.items()) > MOST_LETTERS:
            return
        with self._lock:
            self._kept.pop(browser, None)
            self._kept[browser] = (now, page, query)
            while len(self._kept) > MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))

    def take(self, browser: str, now: float) -> tuple[str, Mapping[str, Sequence[str]]] | None:
        """Return where a browser wanted to go, once; None where nothing is known or it was too long ago."""
        with self._lock:
            found = self._kept.pop(browser, None)
        return None if found is None or now - found[0] > KEPT_SECONDS else found[1:]


@st.cache_resource(show_spinner=False)
def _ways() -> WaysBack:
    """Return the addresses of this server."""
    return WaysBack()


def _browser() -> str:
    """Return a digest of what tells browsers apart; an empty text for one without cookies."""
    token = token_of(str(st.context.cookies.get(COOKIE, "")))
    return hashlib.sha256(token).hexdigest() if token else ""


def token_of(cookie: str) -> bytes:
    """Return the token in a cookie that protects forms; the server writes it under another mask each time. Nothing for other cookies.

    Examples
    --------
    >>> token_of("2|0000000f|abcdef00|1700000000") == token_of("2|ffffffff|543210f0|1700000000") == bytes.fromhex("abcdef0f")
    True

    Source
    ------
    Tornado's XSRF cookies, version 2: version, mask, token xor mask, time, the first two in hexadecimal digits.
    """
    parts = cookie.split("|")
    try:
        mask, masked = (bytes.fromhex(part) for part in parts[1:3])
    except ValueError:
        return b""
    return bytes(one ^ other for one, other in zip(masked, cycle(mask or b"\0"), strict=False)) if parts[0] == "2" else b""


def keep_way() -> None:
    """Keep the address of this visitor, who is about to sign in."""
    page = urlsplit(st.context.url or "").path.rstrip("/").rpartition("/")[2]
    _ways().keep(_browser(), page, {name: st.query_params.get_all(name) for name in st.query_params}, time.monotonic())


def way_wanted() -> tuple[str, Mapping[str, Sequence[str]]] | None:
    """Return the page and query this visitor wanted before they signed in; None from the second time on."""
    return _ways().take(_browser(), time.monotonic())
