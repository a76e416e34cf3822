"""Exports that shop systems write alike everywhere, known by their headers, so that nobody has to map them by hand.

Comes in: the headers of a raw table and which of them hold any value. Goes out: what its columns mean, or nothing. Pure.

Headers alone mislead here: in Shopify's export "Name" is the order's number and "Total" the money of the whole order, in Amazon's
"item-price" is the money of the line and not of one piece. Each entry follows the system's own description of its export.

Source: help.shopify.com "Exporting orders"; Amazon "Order report columns" (sellercentral.amazon.com); WooCommerce "Advanced Order
Export"; Etsy "Sold order items".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from customer_genome.sources.headers import normal_header


@dataclass(frozen=True)
class KnownExport:
    """An export known by its headers.

    Attributes
    ----------
    name : what people call it
    marks : headers in normal form, all of which it has
    columns : contract column -> headers in normal form
        The first one that holds values is read. None at all means that the contract column is read from nothing.
    remark : what its money is
    """

    name: str
    marks: frozenset[str]
    columns: Mapping[str, tuple[str, ...]]
    remark: str


KNOWN_EXPORTS: tuple[KnownExport, ...] = (
    KnownExport(
        "Shopify orders export",
        frozenset({"name", "email", "createdat", "lineitemquantity", "lineitemprice"}),
        {
            "customer_id": ("customerid", "email"),
            "ordered_at": ("createdat",),
            "order_id": ("name",),
            "product_id": ("lineitemsku",),
            "description": ("lineitemname",),
            "quantity": ("lineitemquantity",),
            "price": ("lineitemprice",),
            "amount": (),
            "country": ("shippingcountry", "billingcountry"),
            "discount": ("discountamount",),
            "status": ("financialstatus",),
        },
        "money is price times quantity of each line, before discounts of the whole order, shipping and taxes added on top",
    ),
    KnownExport(
        "WooCommerce order export with items",
        frozenset({"ordernumber", "orderdate", "emailbilling", "itemcost"}),
        {
            "customer_id": ("customeruserid", "emailbilling"),
            "ordered_at": ("orderdate",),
            "order_id": ("ordernumber",),
            "product_id": ("sku",),
            "description": ("itemname", "productname"),
            "quantity": ("quantityrefund", "quantity"),
            "price": ("itemcost",),
            "amount": (),
            "country": ("countrycodeshipping", "countrycodebilling"),
            "status": ("orderstatus",),
        },
        "money is price times quantity of each line, before discounts of the whole order, shipping and taxes",
    ),
    KnownExport(
        "WooCommerce order export",
        frozenset({"ordernumber", "orderdate", "emailbilling", "ordertotalamount"}),
        {
            "customer_id": ("customeruserid", "emailbilling"),
            "ordered_at": ("orderdate",),
            "order_id": ("ordernumber",),
            "amount": ("ordertotalamount",),
            "country": ("countrycodeshipping", "countrycodebilling"),
            "discount": ("cartdiscountamount",),
            "status": ("orderstatus",),
        },
        "money is the total of the order, with shipping and taxes",
    ),
    KnownExport(
        "Amazon order report",
        frozenset({"amazonorderid", "purchasedate", "itemprice", "quantity"}),
        {
            "customer_id": ("buyeremail",),
            "ordered_at": ("purchasedate",),
            "order_id": ("amazonorderid",),
            "product_id": ("sku", "asin"),
            "description": ("productname",),
            "quantity": ("quantity",),
            "price": (),
            "amount": ("itemprice",),
            "country": ("shipcountry",),
            "discount": ("itempromotiondiscount",),
            "status": ("itemstatus", "orderstatus"),
        },
        "item-price is the money of the whole line",
    ),
)


def known_export(headers: Sequence[str], filled: Collection[str]) -> tuple[KnownExport, dict[str, tuple[str, ...]]] | None:
    """Return the export these headers are known as and its mapping in their spelling; None where they are not known.

    Parameters
    ----------
    headers : raw headers
    filled : those of them that hold any value

    Examples
    --------
    >>> found = known_export(["Name", "Email", "Created at", "Lineitem quantity", "Lineitem price"], ["Name", "Email"])
    >>> found[1]["order_id"], found[1]["amount"]
    (('Name',), ())
    """
    spelled = {normal_header(header): header for header in reversed(headers)}
    for export in KNOWN_EXPORTS:
        if export.marks <= set(spelled):
            mapping: dict[str, tuple[str, ...]] = {}
            for name, forms in export.columns.items():
                there = [spelled[form] for form in forms if form in spelled]
                best = next((header for header in there if header in filled), there[0] if there else None)
                if best is not None or not forms:
                    mapping[name] = () if best is None else (best,)
            return export, mapping
    return None
