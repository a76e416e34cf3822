"""One frozen `Settings` from genome.toml and the environment, read at the edge and handed down as values.

Comes in: a workspace folder and what the command line says. Goes out: `Settings`, in which every value has been
checked and every relative path made absolute. Nothing below the interfaces reads a file of settings or the environment.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import available_timezones

from customer_genome.contracts import INPUT_TABLES
from customer_genome.errors import SettingsError, did_you_mean

RefundPolicy = Literal["drop", "net"]
SETTINGS_FILE = "genome.toml"


@dataclass(frozen=True)
class TableSettings:
    """Where one input table is and how it is read. See `[tables.*]` in docs/settings.md."""

    path: str | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    date_order: Literal["ymd", "dmy", "mdy"] | None = None
    decimal_mark: Literal[".", ","] | None = None
    delimiter: str | None = None
    encoding: str | None = None
    has_header: bool | None = None
    sheets: tuple[str, ...] = ()
    query: str | None = None
    table: str | None = None


@dataclass(frozen=True)
class ShopSettings:
    """What the shop is called, where it stands, and the units of its money and time."""

    name: str = ""
    currency: str = ""
    home_country: str = ""
    timezone: str = "UTC"
    exchange_rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CleaningSettings:
    """How input rows are classified."""

    refunds: RefundPolicy = "drop"
    on_bad_rows: Literal["quarantine", "reject"] = "quarantine"
    drop_duplicates: bool = True
    cancelled_order_pattern: str = r"^C\d"
    cancelled_statuses: tuple[str, ...] = ("cancelled", "canceled", "returned", "refunded", "void", "voided", "failed")
    not_merchandise: str | None = None


@dataclass(frozen=True)
class FeatureSettings:
    """What the facts are made of."""

    categories: str | None = None
    most_categories: int = 20


@dataclass(frozen=True)
class PredictionSettings:
    """Horizon and money of the predictions. `horizon_days = 0` chooses the largest of 180, 90, 30 that history allows."""

    horizon_days: int = 0
    annual_discount: float = 0.10
    margin: float = 1.0
    seed: int = 7
    fit_sample: int = 250_000


@dataclass(frozen=True)
class SegmentSettings:
    """`k = 0` lets the data choose the number of clusters of every method, `k_of` sets that of one; without `features` they are found in those of docs/segments.md."""

    k: int = 0
    k_of: Mapping[str, int] = field(default_factory=dict)
    method: Literal["kmeans", "hierarchical", "gmm"] = "kmeans"
    features: tuple[str, ...] = ()
    playbooks: str | None = None
    churn_bands: tuple[float, ...] = (0.4, 0.7)
    clv_bands: tuple[float, ...] = ()


@dataclass(frozen=True)
class SimilaritySettings:
    """How much each fact counts when customers are compared; 1 is usual, 0 leaves it out. See docs/similarity.md."""

    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RecommendSettings:
    """What is recommended and how much is tried for it. An empty `item` chooses by the data. See docs/recommendations.md."""

    enabled: bool = True
    item: str = ""
    top: int = 10
    effort: Literal["light", "full"] = "light"
    exclude: tuple[str, ...] = ()
    sold_within_days: int = 90
    most_customers: int = 200_000
    most_purchases: int = 2_000_000


@dataclass(frozen=True)
class EngineSettings:
    """Where SQL runs and how much of the machine it may use. Empty memory limit: half of the machine. See docs/spark.md."""

    name: Literal["duckdb", "spark"] = "duckdb"
    memory_limit: str = ""
    threads: int = 0
    spark_master: str = "local[*]"
    spark_folder: str | None = None
    spark_options: Mapping[str, str] = field(default_factory=dict)
    spark_database: str = ""
    worker_python: str = ""


@dataclass(frozen=True)
class PublishSettings:
    """How many published versions stay."""

    keep_versions: int = 10


@dataclass(frozen=True)
class Settings:
    """Everything a run needs to know, checked. `has_money` is told by the data, never by a file: ratings have none."""

    workspace: Path
    shop: ShopSettings = field(default_factory=ShopSettings)
    tables: Mapping[str, TableSettings] = field(default_factory=dict)
    cleaning: CleaningSettings = field(default_factory=CleaningSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    prediction: PredictionSettings = field(default_factory=PredictionSettings)
    segments: SegmentSettings = field(default_factory=SegmentSettings)
    similarity: SimilaritySettings = field(default_factory=SimilaritySettings)
    recommend: RecommendSettings = field(default_factory=RecommendSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    publish: PublishSettings = field(default_factory=PublishSettings)
    has_money: bool = True


_SECTIONS: Mapping[str, type] = {
    "shop": ShopSettings,
    "cleaning": CleaningSettings,
    "features": FeatureSettings,
    "prediction": PredictionSettings,
    "segments": SegmentSettings,
    "similarity": SimilaritySettings,
    "recommend": RecommendSettings,
    "engine": EngineSettings,
    "publish": PublishSettings,
}


def read_settings(workspace: Path) -> Settings:
    """Return the settings of a workspace; the defaults where it has no genome.toml.

    Raises
    ------
    SettingsError
        Naming the file, the key, what was found and what was wanted; all faults of the file at once.
    """
    path = workspace / SETTINGS_FILE
    if not path.exists():
        return _absolute(Settings(workspace=workspace))
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SettingsError(
            f"{path} is not valid TOML: {err}. Correct that line, or write the file anew with `genome init`."
        ) from err
    return settings_from_mapping(raw, workspace, label=str(path))


def settings_from_mapping(raw: Mapping[str, Any], workspace: Path, label: str = SETTINGS_FILE) -> Settings:
    """Return checked settings from a parsed TOML mapping. `label` names the file in messages."""
    faults: list[str] = []
    known = [*_SECTIONS, "tables"]
    for name in raw:
        if name not in known:
            faults.append(f"[{name}] is not a section.{did_you_mean(name, known)} Sections: {', '.join(known)}")
    sections = {name: _section(cls, raw.get(name, {}), name, faults) for name, cls in _SECTIONS.items()}
    tables = _tables(raw.get("tables", {}), workspace, faults)
    settings = Settings(workspace=workspace, tables=tables, **sections)
    faults.extend(_contradictions(settings))
    if faults:
        raise SettingsError(f"{label}: {len(faults)} fault(s).\n" + "\n".join(f"- {fault}" for fault in faults))
    return _absolute(settings)


def _section(cls: type, raw: Any, name: str, faults: list[str]) -> Any:
    """Return an instance of the settings class `cls` from one TOML table, noting faults."""
    if not isinstance(raw, Mapping):
        faults.append(f"[{name}] must be a table, found {raw!r}")
        return cls()
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in hints:
            faults.append(f"[{name}] {key} is not a setting.{did_you_mean(key, hints)}")
            continue
        converted = _convert(value, hints[key])
        if converted is _WRONG:
            faults.append(f"[{name}] {key} = {value!r}: wanted {_describe(hints[key])}")
        else:
            values[key] = converted
    return cls(**values)


_WRONG: Any = object()


def _convert(value: Any, hint: Any) -> Any:
    """Return `value` as the hinted type, or `_WRONG`."""
    origin, choices = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value if value in choices else _WRONG
    if origin is tuple:
        items = [value] if isinstance(value, (str, int, float)) else value
        if not isinstance(items, list):
            return _WRONG
        converted = [_convert(item, choices[0]) for item in items]
        return _WRONG if _WRONG in converted else tuple(converted)
    if origin is not None and issubclass_safe(origin, Mapping):
        if not isinstance(value, Mapping):
            return _WRONG
        pairs = {str(key): _convert(item, choices[1]) for key, item in value.items()}
        return _WRONG if _WRONG in pairs.values() else pairs
    if choices:  # a union such as str | None
        results = [_convert(value, choice) for choice in choices if choice is not type(None)]
        return next((result for result in results if result is not _WRONG), _WRONG)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, hint) and not (hint is int and isinstance(value, bool)) else _WRONG


def issubclass_safe(candidate: Any, parent: type) -> bool:
    """Return whether `candidate` is a class below `parent`; False for things that are no class."""
    return isinstance(candidate, type) and issubclass(candidate, parent)


def _describe(hint: Any) -> str:
    """Return a type hint in the words of a settings file."""
    origin, choices = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in choices)
    if origin is tuple:
        return f"a list of {_describe(choices[0])}"
    if origin is not None and issubclass_safe(origin, Mapping):
        return f"a table of name = {_describe(choices[1])}"
    if choices:
        return " or ".join(_describe(choice) for choice in choices if choice is not type(None))
    return {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}.get(hint, str(hint))


def _tables(raw: Any, workspace: Path, faults: list[str]) -> dict[str, TableSettings]:
    """Return the settings of every [tables.NAME], noting faults."""
    tables: dict[str, TableSettings] = {}
    if not isinstance(raw, Mapping):
        faults.append(f"[tables] must hold tables such as [tables.order_lines], found {raw!r}")
        return tables
    for name, section in raw.items():
        if name not in INPUT_TABLES:
            faults.append(f"[tables.{name}] is not a table.{did_you_mean(name, INPUT_TABLES)} Tables: {', '.join(INPUT_TABLES)}")
            continue
        table: TableSettings = _section(TableSettings, section, f"tables.{name}", faults)
        contract = INPUT_TABLES[name]
        for column in table.columns:
            if column not in contract.names and not contract.extra_columns:
                faults.append(
                    f"[tables.{name}] columns.{column} is not a column of {name}.{did_you_mean(column, contract.names)} "
                    f"Columns: {', '.join(contract.names)}"
                )
        tables[name] = replace(table, path=_resolved(table.path, workspace))
    return tables


def _resolved(path: str | None, workspace: Path) -> str | None:
    """Return a path relative to the workspace as absolute; names of public data, database URIs and catalog tables stay."""
    if path is None or "://" in path or path.startswith("spark-table:") or Path(path).is_absolute():
        return path
    beside = workspace / path
    return str(beside) if beside.exists() or "/" in path or "." in path else path


def _absolute(settings: Settings) -> Settings:
    """Return the settings with the paths of rule files made absolute, relative to the workspace."""
    workspace = settings.workspace

    def beside(given: str | None, default: str) -> str | None:
        if given is None:
            return str(workspace / default) if (workspace / default).exists() else None
        return str(workspace / given)

    return replace(
        settings,
        cleaning=replace(settings.cleaning, not_merchandise=beside(settings.cleaning.not_merchandise, "not_merchandise.toml")),
        features=replace(settings.features, categories=beside(settings.features.categories, "categories.toml")),
        segments=replace(settings.segments, playbooks=beside(settings.segments.playbooks, "playbooks.toml")),
        engine=replace(settings.engine, spark_folder=beside(settings.engine.spark_folder, "spark")),
    )


def _contradictions(settings: Settings) -> list[str]:
    """Return what is well formed but cannot be meant."""
    faults = []
    prediction, segments, cleaning = settings.prediction, settings.segments, settings.cleaning
    if settings.shop.timezone not in available_timezones():
        faults.append(
            f"[shop] timezone = {settings.shop.timezone!r} is not a time zone."
            f"{did_you_mean(settings.shop.timezone, available_timezones())} Wanted: a name such as Europe/London"
        )
    if prediction.horizon_days < 0:
        faults.append(f"[prediction] horizon_days = {prediction.horizon_days}: wanted 1 or more days, or 0 to choose by the data")
    if not 0 <= prediction.annual_discount < 10:
        faults.append(f"[prediction] annual_discount = {prediction.annual_discount}: wanted a share such as 0.10 for 10 % a year")
    if prediction.margin <= 0:
        faults.append(f"[prediction] margin = {prediction.margin}: wanted a share of revenue above 0, such as 0.35")
    if prediction.fit_sample < 100:
        faults.append(f"[prediction] fit_sample = {prediction.fit_sample}: wanted 100 or more customers, such as 250000")
    if segments.k < 0 or segments.k == 1:
        faults.append(f"[segments] k = {segments.k}: wanted 2 or more clusters, or 0 to choose by the data")
    methods = ("kmeans", "hierarchical", "gmm")
    for name, number in segments.k_of.items():
        if name not in methods:
            faults.append(f"[segments] k_of: {name} is no method.{did_you_mean(name, methods)} Methods: {', '.join(methods)}")
        elif number < 0 or number == 1:
            faults.append(f"[segments] k_of.{name} = {number}: wanted 2 or more clusters, or 0 to choose by the data")
    if not _rising(segments.churn_bands, 2) or not all(0 < edge < 1 for edge in segments.churn_bands):
        faults.append(
            f"[segments] churn_bands = {list(segments.churn_bands)}: wanted two rising probabilities such as [0.4, 0.7]"
        )
    if segments.clv_bands and not _rising(segments.clv_bands, 2):
        faults.append(
            f"[segments] clv_bands = {list(segments.clv_bands)}: wanted two rising amounts, or none to choose by the data"
        )
    recommend = settings.recommend
    for name, least in (("top", 1), ("sold_within_days", 1), ("most_customers", 1), ("most_purchases", 1000)):
        if getattr(recommend, name) < least:
            faults.append(f"[recommend] {name} = {getattr(recommend, name)}: wanted {least} or more")
    if settings.publish.keep_versions < 1:
        faults.append(f"[publish] keep_versions = {settings.publish.keep_versions}: wanted 1 or more")
    if settings.engine.memory_limit and not re.fullmatch(r"\d+(\.\d+)?\s*(MB|GB|MiB|GiB)", settings.engine.memory_limit):
        faults.append(f"[engine] memory_limit = {settings.engine.memory_limit!r}: wanted a size such as 4GB")
    if settings.engine.spark_database and not re.fullmatch(r"\w+(\.\w+)*", settings.engine.spark_database):
        faults.append(
            f"[engine] spark_database = {settings.engine.spark_database!r}: wanted a plain name such as genome or prod.genome"
        )
    if settings.engine.threads < 0:
        faults.append(f"[engine] threads = {settings.engine.threads}: wanted 1 or more, or 0 for all")
    if any(rate <= 0 for rate in settings.shop.exchange_rates.values()):
        faults.append("[shop] exchange_rates: every rate is money of the shop's currency for one unit, above 0")
    if prediction.seed < 0:
        faults.append(f"[prediction] seed = {prediction.seed}: wanted 0 or more")
    faults.extend(_pattern_faults(cleaning.cancelled_order_pattern))
    return faults


_NOT_IN_SQL = re.compile(r"\(\?(?:<?[=!]|>|\(|P=|#)|\\[1-9]|[*+?}]\+|\\Z")


def _pattern_faults(pattern: str) -> list[str]:
    """Return why the SQL engine cannot use a regular expression; it knows no look-around and no back-references."""
    setting = f"[cleaning] cancelled_order_pattern = {pattern!r}"
    try:
        re.compile(pattern)
    except re.error as err:
        return [f"{setting} is not a regular expression: {err}"]
    bare = re.sub(r"\\[^1-9Z]|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)  # escaped signs and character sets say nothing
    found = _NOT_IN_SQL.search(bare)
    if found is None:
        return []
    return [
        f"{setting}: {found.group()!r} is unknown to the SQL engine. "
        r"Wanted: a pattern without look-around, back-references and atomic groups, such as ^C\d"
    ]


def _rising(edges: tuple[float, ...], count: int) -> bool:
    """Return whether there are `count` edges, each above the one before."""
    return len(edges) == count and all(low < high for low, high in pairwise(edges))


def merged(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Return the settings with single values replaced, checked like those of the file.

    Parameters
    ----------
    overrides : mapping
        Sections as in genome.toml; `tables` replaces the settings of whole tables.

    Raises
    ------
    SettingsError
        Listing every value that is not possible.
    """
    faults: list[str] = []
    sections: dict[str, Any] = {}
    for name, values in overrides.items():
        if name == "tables":
            sections[name] = {**settings.tables, **_tables(values, settings.workspace, faults)}
        elif name in _SECTIONS and not isinstance(values, Mapping):
            faults.append(
                f"{name} = {values!r}: wanted a table of settings such as {{{next(iter(get_type_hints(_SECTIONS[name])))!r}: ...}}"
            )
        elif name in _SECTIONS:
            checked = _section(_SECTIONS[name], values, name, faults)
            known = {key: getattr(checked, key) for key in values if hasattr(checked, key)}
            sections[name] = replace(getattr(settings, name), **known)
        else:
            faults.append(f"{name} is not a section.{did_you_mean(name, [*_SECTIONS, 'tables'])}")
    changed = replace(settings, **sections)
    faults.extend(_contradictions(changed))
    if faults:
        raise SettingsError("Not possible: " + "; ".join(faults) + ".")
    return changed


def settings_as_json(settings: Settings) -> dict[str, Any]:
    """Return the sections that shape a result, as plain values for the manifest (no paths, no credentials)."""
    plain: dict[str, Any] = {}
    for name in ("shop", "cleaning", "features", "prediction", "segments", "similarity"):
        section = getattr(settings, name)
        plain[name] = {
            item.name: _plain(getattr(section, item.name))
            for item in fields(section)
            if item.name not in {"not_merchandise", "categories", "playbooks"}
        }
    return plain


def _plain(value: Any) -> Any:
    """Return tuples as lists and mappings as dicts."""
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
