"""Who is looking: lets people sign in where the workspace asks for it, and tells the role of the visitor.

Comes in: what the provider said of the visitor when they signed in. Goes out: a role, or a page that says how to come in. Whatever
goes wrong closes the door: no page is drawn without a role.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from customer_genome.errors import SettingsError
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.way_back import keep_way
from customer_genome.interfaces.serving.roles import SIGN_IN_FILE, SIGN_IN_VARIABLE, Role, SignIn, read_sign_in

WHAT_ROLES_SEE: dict[Role, str] = {
    "viewer": "Ids of customers are pseudonyms here, and files that name customers cannot be downloaded.",
    "analyst": "You see customers and may download them.",
    "admin": "You see customers, may download them, and may upload and run.",
}


def sign_in_of(root: Path) -> SignIn | None:
    """Return how people sign in to a workspace, None where nobody has to.

    The file is read anew each time, so a role taken from somebody is gone with their next click.

    Raises
    ------
    SettingsError
        When the server was started with sign-in and its settings are gone or damaged.
    """
    found = read_sign_in(root)
    if found is None and os.environ.get(SIGN_IN_VARIABLE) == "on":
        raise SettingsError(f"{root / SIGN_IN_FILE} is gone while the server runs. Put it back, or start the server anew.")
    return found


def claims_of_visitor() -> dict[str, Any]:
    """Return what the provider said of the visitor; empty for those who have not signed in."""
    claims: dict[str, Any] = st.user.to_dict()
    return claims if claims.get("is_logged_in") is True else {}


def role_of_visitor(root: Path) -> Role | None:
    """Return what the visitor may see and do; None where they may not come in. Without sign-in whoever uses the machine owns it."""
    sign_in = sign_in_of(root)
    if sign_in is None:
        return "admin"
    claims = claims_of_visitor()
    return sign_in.role_of(claims) if claims else None


def pseudonym_key(root: Path) -> bytes | None:
    """Return a key for pseudonyms that stays while the secret of cookies does; None without sign-in."""
    if sign_in_of(root) is None:
        return None
    try:
        secret = str(st.secrets["auth"]["cookie_secret"])
    except (FileNotFoundError, KeyError):
        return None
    return hmac.new(secret.encode(), b"pseudonyms of customers", hashlib.sha256).digest()


def require_role(root: Path) -> Role:
    """Return the role of the visitor; for those who have none, show how to come in and stop the page."""
    try:
        role = role_of_visitor(root)
    except SettingsError as err:
        _stop_before(f"Nobody can come in at the moment. {plain(err)}")
    if role is not None:
        return role
    if claims_of_visitor():
        _stop_before(
            f"You are signed in as **{plain(name_of_visitor())}**, and this dashboard has no role for you. "
            f"Ask whoever runs it to add you to `{SIGN_IN_FILE}`.",
            leaves=True,
        )
    _stop_before("Customer figures of this shop are for people who work with it.", enters=True)


def is_inside(root: Path) -> bool:
    """Return whether the visitor may come in, without showing anything."""
    try:
        return role_of_visitor(root) is not None
    except SettingsError:
        return False


def name_of_visitor() -> str:
    """Return what to call somebody who has signed in."""
    claims = claims_of_visitor()
    return str(claims.get("email") or claims.get("name") or claims.get("sub") or "somebody")


def say_who_looks(root: Path) -> None:
    """Say in the side bar who is signed in with which role, or that nobody has to and why that is safe."""
    with st.sidebar.container(key="who"):
        role = role_of_visitor(root)
        if role is None or sign_in_of(root) is None:
            st.markdown(aside("No sign-in: this dashboard answers this machine only."))
            return
        name = plain(name_of_visitor()).replace("@", "@\u2060")  # an invisible sign, so that no link is made of it
        st.markdown(aside(f"Signed in as {name} · **{role}**"), help=WHAT_ROLES_SEE[role])
        st.button("Sign out", key="sign_out", on_click=st.logout)


def _stop_before(words: str, *, enters: bool = False, leaves: bool = False) -> NoReturn:
    """Show words in place of every page, and a way in or out."""
    st.title("Customer Genome", anchor=False)
    st.markdown(words)
    if enters and st.button("Sign in", type="primary", key="sign_in"):
        keep_way()
        st.login()
    if leaves and st.button("Sign out", key="sign_out"):
        st.logout()
    st.stop()
