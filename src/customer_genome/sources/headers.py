"""Which raw column means what: header names matched to a contract.

Comes in: the headers of a raw table, a contract, and the mapping the user wrote. Goes out: a `HeaderMatch`, or one
`SourceError` that lists every fault of the header at once. Pure: no file, no data, no settings object.

Case, blanks, underscores, hyphens, dots, accents and a byte order mark make no difference. A header is compared as a
whole, so "Invoice" is never taken for "InvoiceDate". Precedence, the same on every run: what the user mapped, the
contract's own names, its synonyms in their order, the same without a trailing currency ("Price (GBP)"), and last the
headers that could mean anything ("id", "date", "total"); those are reported as unsure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from customer_genome.contracts import Column, Contract
from customer_genome.errors import SourceError, did_you_mean

NUMERIC_TYPES = ("decimal", "double", "integer")

GENERIC_HEADERS: Mapping[str, str] = {
    "email": "",
    "emailaddress": "",
    "buyeremail": "",
    "billingemail": "",
    "customeremail": "",
    "id": "may number the line instead",
    "name": "may name something else",
    "total": "may be the total of the whole order, repeated on each line",
    "value": "may be any number",
    "item": "may be a name or a line number",
    "product": "may be the product's name",
    "count": "may count something else",
    "items": "may be a list of articles",
    "unitcost": "may be what the shop paid, not the customer",
    "market": "may be a region",
    "created": "may be when the row was written",
    "day": "may be a day's number or name",
    "date": "",
    "time": "",
    "timestamp": "",
    "title": "",
    "score": "",
    "overall": "",
}
"""Headers that are taken only when nothing better is there, with the doubt to tell the user, if there is one."""

OTHER_LANGUAGES: Mapping[str, tuple[str, ...]] = {
    "customer_id": (
        "kundennummer", "kundennr", "kunden nr", "kunden id", "kunde", "numero client", "id client", "code client", "id cliente",
        "codigo cliente", "numero cliente", "cliente", "klantnummer", "klant",
    ),
    "ordered_at": (
        "bestelldatum", "auftragsdatum", "rechnungsdatum", "kaufdatum", "verkaufsdatum", "datum", "date commande", "date facture",
        "date achat", "fecha pedido", "fecha factura", "fecha compra", "fecha", "orderdatum", "factuurdatum",
    ),
    "order_id": (
        "bestellnummer", "auftragsnummer", "rechnungsnummer", "rechnungsnr", "belegnummer", "rechnung", "bestellung", "numero commande",
        "numero facture", "facture", "commande", "numero pedido", "numero factura", "pedido", "factura", "ordernummer", "factuurnummer",
    ),
    "product_id": (
        "artikelnummer", "artikelnr", "artikel nr", "produktnummer", "artikel", "code article", "code produit", "article", "codigo articulo",
        "codigo producto", "articulo", "producto",
    ),
    "description": (
        "artikelbezeichnung", "artikelname", "produktname", "bezeichnung", "beschreibung", "nom produit", "libelle", "designation",
        "nombre producto", "descripcion", "omschrijving",
    ),
    "quantity": ("menge", "anzahl", "stueckzahl", "stückzahl", "quantite", "cantidad", "unidades", "aantal"),
    "price": (
        "einzelpreis", "stueckpreis", "stückpreis", "verkaufspreis", "preis", "prix unitaire", "prix", "precio unitario", "precio", "prijs",
    ),
    "amount": (
        "gesamtpreis", "gesamtbetrag", "rechnungsbetrag", "betrag", "umsatz", "summe", "montant", "montant total", "prix total", "importe",
        "importe total", "bedrag",
    ),
    "country": ("land", "lieferland", "pays", "pais"),
    "category": ("warengruppe", "produktgruppe", "kategorie", "categorie", "categoria"),
    "discount": ("rabatt", "remise", "descuento", "korting"),
    "currency": ("waehrung", "währung", "devise", "moneda", "valuta"),
    "status": ("bestellstatus", "statut", "estado"),
}  # fmt: skip
"""Names in German, French, Spanish and Dutch, tried after the English ones of the contract."""

SUMMED_PARTS: Mapping[str, frozenset[str]] = {"discount": frozenset({"retaildisc", "coupondisc", "couponmatchdisc"})}
"""Contract columns that may be added up from several raw ones, with the synonyms that are parts of one amount."""

CURRENCY_CODES = frozenset(
    [
        "usd",
        "eur",
        "gbp",
        "chf",
        "cad",
        "aud",
        "nzd",
        "jpy",
        "cny",
        "inr",
        "brl",
        "sek",
        "nok",
        "dkk",
        "pln",
        "czk",
        "huf",
        "try",
        "zar",
        "mxn",
        "sgd",
        "hkd",
        "krw",
    ]
)
_TIME_ZONES = frozenset({"utc", "gmt", "cet", "est", "pst"})
_POSITION = re.compile(r"column\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class HeaderMatch:
    """What each contract column is read from.

    Attributes
    ----------
    mapping : contract column -> raw headers
        As spelled in the source. Several only where numbers are added up.
    unsure : contract column -> reason
        Matches that deserve a look, each with the reason in words.
    unmapped : raw headers nothing was read from, in source order
    absent : contract columns that found no header, in contract order
    """

    mapping: Mapping[str, tuple[str, ...]]
    unsure: Mapping[str, str] = field(default_factory=dict)
    unmapped: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def normal_header(header: str) -> str:
    """Return a header as it is compared: lower case letters and digits only, without accents.

    A percent sign stays, because a percentage is not an amount. A header without letters or digits is kept as it is.

    Examples
    --------
    >>> normal_header("\\ufeffCustomer ID"), normal_header("customer_id"), normal_header("Größe %")
    ('customerid', 'customerid', 'grosse%')
    """
    text = unicodedata.normalize("NFKD", header.replace("\ufeff", "")).casefold()
    kept = "".join(character for character in text if character.isalnum() or character == "%")
    return kept or header.strip()


def without_currency(header: str) -> str:
    """Return the normal form of a header without a currency or a time zone at its end.

    Examples
    --------
    >>> without_currency("Price (GBP)"), without_currency("Order Date (UTC)")
    ('price', 'orderdate')
    """
    words = re.findall(r"[^\W_]+", header)
    if len(words) > 1 and words[-1].casefold() in CURRENCY_CODES | _TIME_ZONES:
        return normal_header(" ".join(words[:-1]))
    return normal_header(header)


def doubled_headers(headers: Sequence[str]) -> list[str]:
    """Return one message per header that stands more than once (compared as in `normal_header`)."""
    places: dict[str, list[int]] = {}
    for place, header in enumerate(headers, start=1):
        places.setdefault(normal_header(header), []).append(place)
    messages = []
    for found in places.values():
        if len(found) > 1:
            named = ", ".join(f'"{headers[place - 1]}" (column {place})' for place in found)
            messages.append(f"the same header stands {len(found)} times: {named}. Rename all but one of them")
    return messages


def match_headers(
    headers: Sequence[str],
    contract: Contract,
    overrides: Mapping[str, tuple[str, ...]] | None = None,
    *,
    label: str,
    types: Mapping[str, str] | None = None,
    excluded: Mapping[tuple[str, str], str] | None = None,
    is_proposal: bool = False,
) -> HeaderMatch:
    """Match raw headers to the columns of a contract.

    Parameters
    ----------
    headers : sequence of str
        As they stand in the source, in order.
    overrides : contract column -> raw headers
        What the user wrote; wins over everything. "column 3" names a column by its place. An empty tuple or an empty
        text means: read this contract column from nothing.
    label : str
        The file or table, for messages.
    types : raw header -> raw type
        Where known, headers whose type cannot serve a contract column are passed over.
    excluded : (contract column, raw header) -> why
        Pairs already found impossible from the values.
    is_proposal : bool
        Missing required columns are no fault: they are among `absent`.

    Raises
    ------
    SourceError
        Doubled headers, overrides that name nothing, one raw column used twice, required columns not found: all of
        them in one message.
    """
    faults = doubled_headers(headers)
    chosen, given_faults = _given(headers, contract, overrides or {})
    faults += given_faults
    matcher = _Matcher(headers, contract, types or {}, dict(excluded or {}))
    if not faults:
        matcher.take(chosen)
        matcher.match()
        faults += [] if is_proposal else _missing(matcher, contract, overrides or {})
    if faults:
        raise SourceError(_fault_text(label, contract, headers, faults))
    return matcher.result()


class _Matcher:
    """The state of one matching: what is taken, what each contract column got."""

    def __init__(
        self, headers: Sequence[str], contract: Contract, types: Mapping[str, str], excluded: Mapping[tuple[str, str], str]
    ) -> None:
        self.headers = tuple(headers)
        self.contract = contract
        self.types = types
        self.excluded = excluded
        self.mapping: dict[str, tuple[str, ...]] = {}
        self.unsure: dict[str, str] = {}
        self.silenced: set[str] = set()

    def take(self, chosen: Mapping[str, tuple[str, ...]]) -> None:
        """Enter what the user mapped; a column mapped to nothing stays empty."""
        for name, raw in chosen.items():
            if raw:
                self.mapping[name] = raw
            else:
                self.silenced.add(name)

    def match(self) -> None:
        """Go through the levels of precedence, best first."""
        self._level({column.name: [normal_header(column.name)] for column in self.contract.columns}, trimmed=False)
        for generic in (False, True):
            for trimmed in (False, True):
                self._level({column.name: _keys(column, generic) for column in self.contract.columns}, trimmed=trimmed)

    def _level(self, keys: Mapping[str, Sequence[str]], *, trimmed: bool) -> None:
        for column in self.contract.columns:
            if column.name not in self.mapping and column.name not in self.silenced:
                self._first(column, keys[column.name], trimmed=trimmed)

    def _first(self, column: Column, keys: Sequence[str], *, trimmed: bool) -> None:
        """Give `column` the first free header that is one of `keys`, in the order of the keys."""
        free = {self._form(header, trimmed): header for header in reversed(self.free()) if self.can_serve(column, header)}
        for key in keys:
            if key in free:
                parts = SUMMED_PARTS.get(column.name, frozenset())
                together = [free[other] for other in keys if other in free and other in parts] if key in parts else []
                self.mapping[column.name] = tuple(together) or (free[key],)
                self._doubt(column, key, [free[other] for other in keys if other in free])
                return

    def _doubt(self, column: Column, key: str, candidates: Sequence[str]) -> None:
        used = self.mapping[column.name]
        others = [header for header in candidates if header not in used]
        if GENERIC_HEADERS.get(key):
            self.unsure[column.name] = f'"{used[0]}" {GENERIC_HEADERS[key]}'
        elif others:
            named = ", ".join(f'"{header}"' for header in others)
            self.unsure[column.name] = f'"{used[0]}" was taken; {named} could be meant too'

    @staticmethod
    def _form(header: str, trimmed: bool) -> str:
        return without_currency(header) if trimmed else normal_header(header)

    def free(self) -> list[str]:
        """Return the headers nothing is read from yet, in source order."""
        taken = {header for raw in self.mapping.values() for header in raw}
        return [header for header in self.headers if header not in taken]

    def candidates(self, name: str) -> list[str]:
        """Return the free headers that were not passed over for the contract column `name`."""
        return [header for header in self.free() if (name, header) not in self.excluded]

    def can_serve(self, column: Column, header: str) -> bool:
        """Return whether the type and the values of `header` allow it to feed `column`."""
        return (column.name, header) not in self.excluded and type_can_serve(column.type, self.types.get(header, "text"))

    def result(self) -> HeaderMatch:
        absent = tuple(name for name in self.contract.names if name not in self.mapping)
        order = (*self.contract.names, *(name for name in self.mapping if name not in self.contract.names))
        mapping = {name: self.mapping[name] for name in order if name in self.mapping}
        return HeaderMatch(mapping, self.unsure, tuple(self.free()), absent)


def _keys(column: Column, generic: bool) -> list[str]:
    """Return the synonyms of a column in normal form: the generic ones, or the others."""
    names = (*column.synonyms, *OTHER_LANGUAGES.get(column.name, ()))
    return [key for key in map(normal_header, names) if (key in GENERIC_HEADERS) == generic]


def type_can_serve(wanted: str, raw: str) -> bool:
    """Return whether a raw column of type `raw` can be read as contract type `wanted`."""
    if raw == "other":
        return False
    if wanted in ("timestamp", "date"):
        return raw in ("text", "integer", "double", "decimal", "date", "timestamp", "timestamp_tz")
    if wanted in NUMERIC_TYPES:
        return raw in ("text", "integer", "double", "decimal", "boolean")
    return True


def find_header(wanted: str, headers: Sequence[str]) -> str | None:
    """Return the header the user means by `wanted`: spelled exactly, else in normal form, else by place ("column 3")."""
    if wanted in headers:
        return wanted
    same = [header for header in headers if normal_header(header) == normal_header(wanted)]
    if same:
        return same[0]
    place = _POSITION.fullmatch(wanted.strip())
    if place and 1 <= int(place.group(1)) <= len(headers):
        return headers[int(place.group(1)) - 1]
    return None


def _given(
    headers: Sequence[str], contract: Contract, overrides: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return the user's mapping in the spelling of the source, and its faults."""
    chosen: dict[str, tuple[str, ...]] = {}
    faults: list[str] = []
    used: dict[str, str] = {}
    for name, wanted in overrides.items():
        if name not in contract.names and not contract.extra_columns:
            faults.append(f"columns.{name} is not a column of {contract.name}.{did_you_mean(name, contract.names)}")
            continue
        numeric = name in contract.names and contract.column(name).type in NUMERIC_TYPES
        if len(wanted) > 1 and not numeric:
            faults.append(
                f"columns.{name} names {len(wanted)} columns; only amounts can be added up, this one needs a single column"
            )
            continue
        found: list[str] = []
        for text in wanted:
            header = find_header(text, headers) if text.strip() else None
            if text.strip() and header is None:
                faults.append(f'columns.{name} = "{text}" is not in the source.{did_you_mean(text, headers)}')
            elif header is not None:
                if header in used:
                    faults.append(f'"{header}" is mapped twice, to {used[header]} and to {name}')
                used[header] = name
                found.append(header)
        chosen[name] = tuple(found)
    return chosen, faults


def _missing(matcher: _Matcher, contract: Contract, overrides: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return one message per required column that found no header."""
    faults = []
    wanted = [name for name in contract.required if name not in matcher.mapping]
    for name in wanted:
        column = contract.column(name)
        near = near_headers(column, matcher.candidates(name))
        hint = f" Nearest: {', '.join(f'{header!r}' for header in near)}." if near else ""
        tried = "; ".join(why for (target, _), why in matcher.excluded.items() if target == name)
        tried = f" Passed over: {tried}." if tried else ""
        asked = " It was mapped to nothing." if name in overrides else ""
        if name not in overrides and (unread := _unreadable(matcher, column)):
            faults.append(f"{contract.name}.{name} ({column.about}): {unread}")
            continue
        known = ", ".join((column.name, *column.synonyms[:6]))
        faults.append(f"{contract.name}.{name} ({column.about}) has no column.{asked}{tried}{hint} Known headers: {known} ...")
    if contract.name == "order_lines" and not ({"amount", "price"} & set(matcher.mapping)):
        near = [
            header for name in ("amount", "price") for header in near_headers(contract.column(name), matcher.candidates(name))
        ][:3]
        tried = "; ".join(why for (target, _), why in matcher.excluded.items() if target in ("amount", "price"))
        unread = " ".join(filter(None, (_unreadable(matcher, contract.column(name)) for name in ("amount", "price"))))
        faults.append(
            "order_lines has no money: neither amount (money for the line) nor price (money for one piece) was found."
            + (f" {unread}" if unread else "")
            + (f" Passed over: {tried}." if tried else "")
            + (f" Nearest: {', '.join(f'{header!r}' for header in near)}." if near else "")
        )
    return faults


def _unreadable(matcher: _Matcher, column: Column) -> str:
    """Return what is wrong with a header that names a contract column while its type cannot feed it, or an empty text."""
    keys = {normal_header(key) for key in (column.name, *column.synonyms, *OTHER_LANGUAGES.get(column.name, ()))}
    for header in matcher.candidates(column.name):
        raw = matcher.types.get(header, "text")
        if normal_header(header) in keys and not type_can_serve(column.type, raw):
            found = "is of a type that cannot be read" if raw == "other" else f"is {raw}, which cannot be read as {column.type}"
            return f'"{header}" {found}. Wanted: text, numbers, dates or times; convert the column, for example to text.'
    return ""


def near_headers(column: Column, headers: Iterable[str], most: int = 3) -> list[str]:
    """Return the headers that resemble a contract column or one of its synonyms, nearest first."""
    keys = [normal_header(key) for key in (column.name, *column.synonyms, *OTHER_LANGUAGES.get(column.name, ()))]
    scored = []
    for header in headers:
        form = normal_header(header)
        best = max(SequenceMatcher(None, form, key).ratio() for key in keys)
        if any(len(key) >= 4 and key in form for key in keys):
            best = max(best, 0.8)
        if best >= 0.7:
            scored.append((-best, header))
    return [header for _, header in sorted(scored)[:most]]


def _fault_text(label: str, contract: Contract, headers: Sequence[str], faults: Sequence[str]) -> str:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    shown = ", ".join(f'"{header}"' for header in headers[:30]) + (", ..." if len(headers) > 30 else "")
    example = next((name for name in contract.required), contract.names[0])
    return (
        f"{label}: {count} in the header of {contract.name}.\n"
        + "\n".join(f"- {fault}" for fault in faults)
        + f"\nIt has: {shown}.\nSay which column is which in genome.toml, e.g. [tables.{contract.name}.columns] "
        f'{example} = "your header", or let `genome init FILE` propose it.'
    )
