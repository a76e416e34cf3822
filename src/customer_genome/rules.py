"""Rule files that users edit, read at the edge and handed down as values: categories, lines that are no goods, playbooks; and the packaged forecast.

Comes in: a path, or None for the packaged default. Goes out: plain tuples and mappings.
"""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from customer_genome.errors import SettingsError, did_you_mean


def read_category_rules(path: str | None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return (category, keywords) in order of precedence.

    Raises
    ------
    SettingsError
        When the file is missing or a rule has no name or no keywords.
    """
    raw = _read(path, "customer_genome.features", "categories.toml")
    rules = raw.get("category", [])
    faults = [
        f'rule {number}: wanted name = "..." and keywords = ["..."], found {rule!r}'
        for number, rule in enumerate(rules, start=1)
        if not (isinstance(rule, dict) and isinstance(rule.get("name"), str) and _is_texts(rule.get("keywords")))
    ]
    if faults or not rules:
        raise SettingsError(
            f"{path or 'categories.toml'}: " + ("; ".join(faults) or "no [[category]] rule. Add one, or remove the file") + "."
        )
    return tuple((rule["name"], tuple(rule["keywords"])) for rule in rules)


def read_not_merchandise(path: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return (product ids, keywords) of lines that are no goods; both empty where no file is given."""
    if path is None:
        return (), ()
    raw = _read(path, "", "")
    known = ("product_ids", "keywords")
    for name in raw:
        if name not in known:
            raise SettingsError(
                f"{path}: {name} is not known here.{did_you_mean(name, known)} Wanted: product_ids and keywords, each a list of texts."
            )
    values = [raw.get(name, []) for name in known]
    if not all(value == [] or _is_texts(value) for value in values):
        raise SettingsError(f"{path}: wanted product_ids and keywords as lists of texts, found {raw!r}.")
    return tuple(values[0]), tuple(values[1])


def read_playbooks(path: str | None) -> dict[str, Any]:
    """Return the parsed playbook file; `decisions.playbooks` turns it into rules."""
    return _read(path, "customer_genome.decisions", "playbooks.toml")


def read_reference_forecast() -> dict[str, Any]:
    """Return the forecast from totals that a shop without order lines borrows: coefficients, where they come from, transfer error."""
    text = files("customer_genome.models").joinpath("reference_forecast.json").read_text(encoding="utf-8")
    stored: dict[str, Any] = json.loads(text)
    return stored


def _read(path: str | None, package: str, name: str) -> dict[str, Any]:
    """Return a parsed TOML file, from the workspace or from the package."""
    try:
        text = Path(path).read_text(encoding="utf-8") if path else files(package).joinpath(name).read_text(encoding="utf-8")
        return tomllib.loads(text)
    except OSError as err:
        raise SettingsError(
            f"{path} cannot be read: {err.strerror}. Correct the path where it was given: on the command line or in genome.toml."
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SettingsError(f"{path or name} is not valid TOML: {err}. Correct that line.") from err


def _is_texts(value: Any) -> bool:
    """Return whether a value is a list of one or more texts."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item.strip() for item in value)
