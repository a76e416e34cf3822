"""Who may come in: roles from what a provider says, doors that stay shut, and nothing personal for those who may not see it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.errors import SettingsError
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard import session
from customer_genome.interfaces.dashboard.session import Hall, Visit, masked_id
from customer_genome.interfaces.serving.roles import (
    CLIENT_SECRET_VARIABLE,
    COOKIE_SECRET_VARIABLE,
    SIGN_IN_FILE,
    SIGN_IN_VARIABLE,
    SignIn,
    read_sign_in,
    write_secrets,
)
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE, serve_dashboard, server_command
from published_shops import answer, publish_rows

GOOD = {
    "client_id": '"genome"',
    "metadata_url": '"https://id.example/.well-known/openid-configuration"',
    "address": '"https://genome.example"',
}
ROLES = '[roles]\n"ann@shop.example" = "admin"\n"@shop.example" = "viewer"\n'
SECRETS = {CLIENT_SECRET_VARIABLE: "hush-client", COOKIE_SECRET_VARIABLE: "hush-cookie-" + "x" * 40}
SHOP = SignIn(roles={"ann@shop.example": "admin", "@shop.example": "viewer"})
VERIFIED = {"email_verified": True}


def written(folder: Path, roles: str = ROLES, **changed: str) -> Path:
    """Write settings of sign-in, some of them changed; return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name} = {value}\n" for name, value in (GOOD | changed).items() if value)
    (folder / SIGN_IN_FILE).write_text(lines + roles)
    return folder


@pytest.mark.parametrize(
    ("sign_in", "claims", "role"),
    [
        (SHOP, {"email": "Ann@Shop.example", **VERIFIED}, "admin"),
        (SHOP, {"email": "vic@shop.example", **VERIFIED}, "viewer"),
        (SHOP, {"email": "ann@shop.example"}, None),
        (SHOP, {"email": "ann@shop.example", "email_verified": "true"}, None),
        (SHOP, {"email": "ann@shop.example", "email_verified": False}, None),
        (SHOP, {"email": "ann@shop.example.evil", **VERIFIED}, None),
        (SHOP, {"email": "ann@evil@shop.example.evil", **VERIFIED}, None),
        (SHOP, {"email": None, **VERIFIED}, None),
        (SHOP, {}, None),
        (SignIn(roles=SHOP.roles, trust_email=True), {"email": "ann@shop.example"}, "admin"),
        (SignIn(roles=SHOP.roles, default_role="viewer"), {"email": "x@y.example", **VERIFIED}, "viewer"),
        (SignIn(roles=SHOP.roles, default_role="viewer"), {"email": "ann@shop.example"}, "viewer"),
        (SignIn(claim="groups", roles={"CRM": "analyst", "IT": "admin"}), {"groups": ["Sales", "CRM", "IT"]}, "admin"),
        (SignIn(claim="groups", roles={"CRM": "analyst"}), {"groups": "CRM"}, "analyst"),
        (SignIn(claim="groups", roles={"CRM": "analyst"}), {"groups": ["crm", 3, None]}, None),
    ],
)
def test_a_role_comes_from_what_the_provider_vouches_for(sign_in, claims, role):
    assert sign_in.role_of(claims) == role


def test_settings_are_read_and_addresses_compare_in_small_letters(tmp_path):
    sign_in = read_sign_in(written(tmp_path, '[roles]\n"Ann@Shop.example" = "admin"\n'))
    assert sign_in is not None and sign_in.redirect_uri == "https://genome.example/oauth2callback"
    assert sign_in.role_of({"email": "ANN@shop.example", **VERIFIED}) == "admin"
    assert read_sign_in(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    ("changed", "roles", "said"),
    [
        ({"client_id": ""}, ROLES, "client_id is missing"),
        ({"client_secret": '"hush"'}, ROLES, "must not stand in this file"),
        ({"addres": '"https://x.example"'}, ROLES, "Did you mean"),
        ({"address": '"http://genome.example"'}, ROLES, "https://"),
        ({"address": '"https://genome.example/shop"'}, ROLES, "without a path"),
        ({"metadata_url": '"http://id.example/x"'}, ROLES, "https://"),
        ({"default_role": '"owner"'}, ROLES, "default_role"),
        ({"trust_email": '"yes"'}, ROLES, "true or false"),
        ({}, "", "nobody could come in"),
        ({}, '[roles]\n"ann@shop.example" = "boss"\n', "viewer, analyst, admin"),
        ({}, "[roles\n", "not valid TOML"),
    ],
)
def test_faults_of_the_settings_are_named(tmp_path, changed, roles, said):
    with pytest.raises(SettingsError) as caught:
        read_sign_in(written(tmp_path, roles, **changed))
    assert said in str(caught.value) and SIGN_IN_FILE in str(caught.value) and "hush" not in str(caught.value)


def test_secrets_come_from_the_environment_into_a_file_for_its_user_alone(tmp_path):
    path = write_secrets(SignIn(client_id='a"b\\c', address="https://genome.example"), tmp_path, SECRETS)
    assert tomllib.loads(path.read_text())["auth"] == {
        "redirect_uri": "https://genome.example/oauth2callback",
        "cookie_secret": SECRETS[COOKIE_SECRET_VARIABLE],
        "client_id": 'a"b\\c',
        "client_secret": "hush-client",
        "server_metadata_url": "",
    }
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("given", [{}, SECRETS | {CLIENT_SECRET_VARIABLE: ""}, SECRETS | {COOKIE_SECRET_VARIABLE: "hush-short"}])
def test_missing_and_short_secrets_are_said_without_their_content(tmp_path, given):
    with pytest.raises(SettingsError) as caught:
        write_secrets(SignIn(), tmp_path, given)
    assert "GENOME_" in str(caught.value) and "hush" not in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", "::"])
def test_other_machines_are_not_served_without_sign_in(tmp_path, address):
    with pytest.raises(SettingsError, match=SIGN_IN_FILE):
        serve_dashboard(tmp_path, 0, open_browser=False, address=address)
    with pytest.raises(SettingsError, match="no network address"):
        serve_dashboard(tmp_path, 0, open_browser=False, address="genome.example")


def test_sign_in_without_its_secrets_or_its_library_does_not_start(tmp_path, monkeypatch):
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match=COOKIE_SECRET_VARIABLE):
        serve_dashboard(written(tmp_path), 0, open_browser=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "authlib" else object())
    with pytest.raises(SettingsError, match="sign-in"):
        serve_dashboard(tmp_path, 0, open_browser=False)


def test_with_sign_in_browsers_may_call_the_server_by_its_public_name(tmp_path):
    options = set(server_command(8765, "0.0.0.0", read_sign_in(written(tmp_path)), tmp_path / "secrets.toml"))
    assert options >= {
        "--server.address=0.0.0.0",
        "--server.allowedHosts=genome.example",
        "--browser.serverAddress=genome.example",
        f"--secrets.files={tmp_path / 'secrets.toml'}",
        "--server.enableXsrfProtection=true",
    }
    assert "--server.allowedHosts=genome.example" not in server_command(8765)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose customers have ids that no number on a page is mistaken for."""
    workspace = tmp_path_factory.mktemp("shop")
    publish_rows(
        workspace,
        (
            (f"idof-{n:03}-person", f"order{n:03}x{m}", f"2024-{1 + (n + 2 * m) % 11:02}-{1 + n % 27:02}", f"p{m % 4}", 1 + m, 5.0 + n % 9, "France" if n % 3 else "Spain")
            for n in range(60)
            for m in range(1 + n % 5)
        ),
    )  # fmt: skip
    return workspace


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, shop: Path) -> Callable[..., AppTest]:
    """Open a page in a role."""

    def open_page(page: str, role: str = "viewer", **address: str) -> AppTest:
        monkeypatch.setenv(WORKSPACE_VARIABLE, str(shop))
        monkeypatch.setattr(session, "require_role", lambda root: role)
        app = AppTest.from_file(APP, default_timeout=60).run()
        for name, value in address.items():
            app.query_params[name] = value
        return app.switch_page(page).run()

    return open_page


def everything(app: AppTest) -> str:
    """Return all that a page sends to the browser: words, tables, charts and what widgets offer."""
    parts = [str(element.proto) if hasattr(element, "proto") else str(element) for element in app]
    parts += [table.value.to_csv() for table in app.dataframe]
    return "\n".join(parts)


def test_a_pseudonym_is_stable_and_unlike_the_id(shop):
    seen = Hall(shop).visit("v00001")
    viewer = Visit(seen.genome, seen.key, "viewer")
    with Genome.open(shop) as genome:
        ids = genome.query("select customer_id from customers").column(0).to_pylist()
    masks = [masked_id(viewer, name) for name in ids]
    assert len(set(masks)) == len(ids) and masks == [masked_id(viewer, name) for name in ids]
    assert not [mask for mask, name in zip(masks, ids, strict=True) if name in mask]
    assert [masked_id(seen, name) for name in ids] == ids


@pytest.mark.parametrize("page", sorted(path.name for path in APP.parent.glob("*.py") if "\nshow()" in path.read_text("utf-8")))
def test_no_page_gives_a_viewer_an_id(look, shop, page):
    person = str(answer(shop, "select customer_id as c from customers order by n_orders desc, 1 limit 1"))
    address: dict[str, Any] = {"rows": "true"} if page == "overview.py" else {}
    app = look(page, **address)
    assert not app.exception and app.title and "idof-" not in everything(app)
    if page in ("customer.py", "customers.py"):
        named = look(page, customer=person)
        assert not named.exception
        assert "idof-" not in everything(named).replace(person, "") and not [
            m for m in named.metric if m.label.startswith("Spent")
        ]


def test_a_viewer_opens_a_customer_under_the_pseudonym_without_single_orders(look, shop):
    person = str(answer(shop, "select customer_id as c from customers order by n_orders desc, 1 limit 1"))
    seen = Hall(shop).visit("v00001")
    look("about.py")  # pseudonyms belong to a workspace
    name = masked_id(Visit(seen.genome, seen.key, "viewer"), person)
    app = look("customer.py", customer=name)
    assert not app.exception and name in app.title[0].value.replace("\\", "")
    assert "idof-" not in everything(app) and not re.findall(r"order\d{3}x\d", everything(app))
    for page in ("customers.py", "predict.py"):
        assert "idof-" not in everything(look(page, customer=name, search="idof-0")).replace('"idof-0"', "")


def test_an_analyst_sees_customers(look, shop):
    person = str(answer(shop, "select customer_id as c from customers order by n_orders desc, 1 limit 1"))
    assert "idof-" in everything(look("customers.py", role="analyst"))
    assert person in everything(look("customer.py", role="analyst", customer=person)).replace("\\", "")


def test_without_a_role_no_page_is_drawn(monkeypatch, shop, tmp_path):
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(shop))
    monkeypatch.setenv(SIGN_IN_VARIABLE, "on")
    app = AppTest.from_file(APP, default_timeout=60).run()
    assert not app.exception and not app.metric and "Nobody can come in" in app.markdown[-1].value
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(written(tmp_path / "workspace")))
    monkeypatch.delenv(SIGN_IN_VARIABLE)
    app = AppTest.from_file(APP, default_timeout=60).run()
    assert not app.exception and not app.metric and [button.label for button in app.button] == ["Sign in"]
