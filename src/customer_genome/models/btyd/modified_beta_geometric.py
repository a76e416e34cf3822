"""How often customers will buy: the MBG/NBD model, in which a customer may be lost after the very first purchase.

Comes in: per customer the repeat purchase days (frequency, x in the papers), the days from first to last purchase (recency_days, t_x)
and from first purchase to the end of observation (age_days, T). Goes out: what every purchase model answers, see `purchase_model`.
Nothing here knows money, files or settings.

Source
------
Batislam, Denizel & Filiztekin (2007), Empirical Validation and Comparison of Models for Customer Base Analysis, International Journal
of Research in Marketing 24(3), 201-209; Hoppe & Wagner (2007), Customer Base Analysis: The Case for a Central Variant of the
Betageometric/NBD Model, Marketing - Journal of Research and Management 3(2), 75-90.
"""

from __future__ import annotations

from typing import ClassVar

from customer_genome.models.btyd.purchases import BetaGeometricFamily


class ModifiedBetaGeometricNBD(BetaGeometricFamily):
    """The MBG/NBD model of repeat purchases.

    As the BG/NBD, but a customer may stop after the first purchase as after any other. One-time buyers who have been silent for long
    therefore count as probably gone, where the BG/NBD has to call them active.

    Examples
    --------
    >>> model = ModifiedBetaGeometricNBD.from_parameters(r=0.525, alpha=6.183, a=0.891, b=1.614)
    >>> model.probability_alive([0, 2], [0, 30.43], [38.86, 38.86]).round(3).tolist()
    [0.39, 0.706]
    """

    name: ClassVar[str] = "MBG/NBD"
    first_chance: ClassVar[int] = 1
