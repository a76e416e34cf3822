"""Who may come in and what they may see: the settings of signing in, and the role that a person's claims give.

Comes in: `sign_in.toml` of a workspace, secrets from the environment, and what a provider of OpenID Connect says of a person.
Goes out: a role or none, and the private file that the server reads its secrets from. Secrets never stand in the settings, and
nothing here writes them to a log or into a message.
"""

from __future__ import annotations

import ipaddress
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from customer_genome.errors import SettingsError, did_you_mean

Role = Literal["viewer", "analyst", "admin"]
"""viewer: sees no personal data. analyst: sees customers and downloads them. admin: also uploads, runs and erases."""

ROLES: tuple[Role, ...] = get_args(Role)
REFUSE = "refuse"
SIGN_IN_FILE = "sign_in.toml"
SIGN_IN_VARIABLE = "GENOME_SIGN_IN"
CLIENT_SECRET_VARIABLE = "GENOME_CLIENT_SECRET"
COOKIE_SECRET_VARIABLE = "GENOME_COOKIE_SECRET"
SECRET_VARIABLES = (CLIENT_SECRET_VARIABLE, COOKIE_SECRET_VARIABLE)
SHORTEST_COOKIE_SECRET = 32
BY_EMAIL = "email"


@dataclass(frozen=True)
class SignIn:
    """How people sign in and which role they get. See docs/sign_in.md.

    Attributes
    ----------
    client_id, metadata_url : str
        What the provider calls this dashboard, and where it describes itself.
    address : str
        Where browsers find the dashboard, such as https://genome.example.org.
    claim : str
        What of a person decides the role: "email", or another claim such as "groups".
    roles : mapping of text to role
        Values of the claim; with "email" also @example.org for everybody there.
    default_role : "refuse", "viewer", "analyst" or "admin"
        For people who sign in and have no role.
    trust_email : bool
        Take addresses that the provider does not call verified. Only where people cannot choose their own address.
    """

    client_id: str = ""
    metadata_url: str = ""
    address: str = ""
    claim: str = BY_EMAIL
    roles: Mapping[str, Role] = field(default_factory=dict)
    default_role: str = REFUSE
    trust_email: bool = False

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends people back to; it has to be registered there."""
        return f"{self.address.rstrip('/')}/oauth2callback"

    @property
    def host(self) -> str:
        """The name by which browsers call the dashboard."""
        return urlsplit(self.address).hostname or ""

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        """Return the role of a person, the strongest where several fit; None refuses.

        Examples
        --------
        >>> shop = SignIn(roles={"@shop.example": "viewer", "ann@shop.example": "admin"})
        >>> shop.role_of({"email": "Ann@shop.example", "email_verified": True}), shop.role_of({"email": "ann@shop.example"})
        ('admin', None)
        """
        found = [self.roles[value] for value in self._values(claims) if value in self.roles]
        if found:
            return max(found, key=ROLES.index)
        return next((role for role in ROLES if role == self.default_role), None)

    def _values(self, claims: Mapping[str, Any]) -> list[str]:
        """Return the values of the deciding claim as they are looked up."""
        given = claims.get(self.claim)
        values = [value for value in (given if isinstance(given, (list, tuple)) else [given]) if isinstance(value, str)]
        if self.claim != BY_EMAIL:
            return values
        if claims.get("email_verified") is not True and not self.trust_email:
            return []
        lowered = [value.strip().lower() for value in values]
        return [*lowered, *(f"@{value.rpartition('@')[2]}" for value in lowered if "@" in value)]


def read_sign_in(workspace: Path) -> SignIn | None:
    """Return how people sign in; None where the workspace has no sign_in.toml.

    Raises
    ------
    SettingsError
        Naming all faults of the file at once.
    """
    path = workspace / SIGN_IN_FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SettingsError(f"{path} is not valid TOML: {err}. Correct that line; docs/sign_in.md has an example.") from err
    except OSError as err:
        raise SettingsError(
            f"{path} cannot be read: {err.strerror or err}. Let the user who runs the dashboard read it."
        ) from err
    faults: list[str] = []
    hints = {entry.name: entry for entry in fields(SignIn)}
    for key, value in raw.items():
        if "secret" in key.lower():
            faults.append(f"{key} must not stand in this file. Set {' and '.join(SECRET_VARIABLES)} in the environment instead")
        elif key not in hints:
            faults.append(f"{key} is not a setting.{did_you_mean(key, hints)}")
        elif not isinstance(value, Mapping if key == "roles" else bool if key == "trust_email" else str):
            faults.append(f"{key} = {value!r}: wanted {_WANTED.get(key, 'a text')}")
    if not faults:
        read = SignIn(**(raw | {"roles": _lowered(raw.get("roles", {}), raw.get("claim", BY_EMAIL))}))
        faults = _contradictions(read)
        if not faults:
            return read
    raise SettingsError(f"{path}: {len(faults)} fault(s).\n" + "\n".join(f"- {fault}" for fault in faults))


_WANTED = {"roles": 'a table such as "ann@example.org" = "admin"', "trust_email": "true or false"}


def _lowered(roles: Mapping[str, Any], claim: str) -> dict[str, Any]:
    """Return roles by addresses in small letters, as they are looked up; values of other claims stay."""
    return {key.strip().lower() if claim == BY_EMAIL else key: role for key, role in roles.items()}


def _contradictions(sign_in: SignIn) -> list[str]:
    """Return what is missing or cannot be meant."""
    faults = [
        f"{name} is missing. Wanted: {wanted}"
        for name, wanted in (
            ("client_id", "what the provider calls this dashboard"),
            ("metadata_url", "the provider's address that ends in /.well-known/openid-configuration"),
            ("address", "where browsers find the dashboard, such as https://genome.example.org"),
        )
        if not getattr(sign_in, name)
    ]
    for name in ("metadata_url", "address"):
        given = getattr(sign_in, name)
        parts = urlsplit(given)
        if given and not (
            parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)))
        ):
            faults.append(f"{name} = {given!r}: wanted an address with https://; http:// only for this machine")
    if sign_in.address and urlsplit(sign_in.address).path.strip("/"):
        faults.append(f"address = {sign_in.address!r}: wanted an address without a path, such as https://genome.example.org")
    for who, role in sign_in.roles.items():
        if role not in ROLES:
            faults.append(f"roles: {who!r} = {role!r}: wanted one of {', '.join(ROLES)}")
    if sign_in.default_role not in (REFUSE, *ROLES):
        faults.append(f"default_role = {sign_in.default_role!r}: wanted one of {', '.join((REFUSE, *ROLES))}")
    if not sign_in.roles and sign_in.default_role == REFUSE:
        faults.append('nobody could come in. Wanted: [roles] with a line such as "ann@example.org" = "admin"')
    return faults


def is_loopback(host: str) -> bool:
    """Return whether a name or address means this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("genome.example.org")
    (True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def write_secrets(sign_in: SignIn, folder: Path, environment: Mapping[str, str]) -> Path:
    """Write what the server needs to sign people in into a file that only its user can read, and return its path.

    Raises
    ------
    SettingsError
        When a secret is missing or short. The message names the variable, never its content.
    """
    missing = [name for name in SECRET_VARIABLES if not environment.get(name)]
    if missing:
        raise SettingsError(
            f"Sign-in needs {' and '.join(missing)} in the environment, and {SIGN_IN_FILE} has no place for them. The client secret "
            f"comes from the provider; make the other one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if len(environment[COOKIE_SECRET_VARIABLE]) < SHORTEST_COOKIE_SECRET:
        raise SettingsError(
            f"{COOKIE_SECRET_VARIABLE} has fewer than {SHORTEST_COOKIE_SECRET} signs, so cookies could be forged. "
            "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    values = {
        "redirect_uri": sign_in.redirect_uri,
        "cookie_secret": environment[COOKIE_SECRET_VARIABLE],
        "client_id": sign_in.client_id,
        "client_secret": environment[CLIENT_SECRET_VARIABLE],
        "server_metadata_url": sign_in.metadata_url,
    }
    text = "[auth]\n" + "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())
    path = folder / "secrets.toml"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
