"""Who is like whom: the customers of a published version in the standardised genome, kept beside it and memory-mapped.

    published/v00007/similarity.npy        float32 unit vectors, a row per customer in the order of their ids
    published/v00007/similarity.arrow      the ids, and the scale of every fact

Comes in: an open version. Goes out: nearest customers, exactly, over all of them. The files are written when a version is
published (on one machine; Spark's workers need none of it). A version without them, made before, is placed in memory when first
asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from customer_genome.errors import SettingsError, SnapshotError
from customer_genome.genome import Genome
from customer_genome.models.similarity import Array, Space, Unit, all_nearest, nearest, shared_facts, wanted_columns
from customer_genome.snapshot import Snapshot

MATRIX, NAMES = "similarity.npy", "similarity.arrow"
MOST_CUSTOMERS = 5_000_000
MOST_FOR_ALL = 300_000
SCALED_BY = 200_000
"""Customers from whom the scale of facts is learned, drawn by digest."""
_SPACE = b"space"


@dataclass(frozen=True)
class Neighbour:
    """A customer like another.

    Attributes
    ----------
    similarity : cosine, -1..1
    shared : (fact, whether both are above average), the strongest first
    """

    customer_id: str
    similarity: float
    shared: tuple[tuple[str, bool], ...]

    @property
    def words(self) -> str:
        """Return what both have in common, as a few words."""
        return ", ".join(fact_words(name, is_high) for name, is_high in self.shared)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {"customer_id": self.customer_id, "similarity": round(self.similarity, 6), "shared": self.words}


class Neighbours:
    """The customers of a version, ready to be compared.

    Attributes
    ----------
    ids : Arrow string array, sorted
    units : float32, shape (n_customers, n_facts)
    """

    def __init__(self, ids: pa.Array, units: Unit, space: Space) -> None:
        self.ids = ids
        self.units = units
        self.space = space

    @classmethod
    def open(cls, genome: Genome) -> Self:
        """Return the customers of a version, from its files or placed in memory.

        Raises
        ------
        SnapshotError
            When there are too many to be placed in memory.
        """
        stored = _stored(genome.snapshot.folder)
        if stored is not None:
            return cls(*stored)
        n = int(genome.query("select count(*) as n from customers")["n"][0].as_py())
        if n > MOST_CUSTOMERS:
            raise SnapshotError(
                f"Version {genome.snapshot.version} has {n:,} customers and no {MATRIX}; up to {MOST_CUSTOMERS:,} can be compared. "
                "Export the part you need and publish it in a workspace of its own."
            )
        space = _space(genome, weights_of_version(genome))
        parts, ids = [], []
        for batch in _facts(genome, space.columns):
            facts = _columns(batch, space.columns)
            parts.append(space.place(facts) if facts else np.zeros((batch.num_rows, 0), dtype=np.float32))
            ids.append(batch.column("customer_id").cast(pa.string()))
        units = np.concatenate(parts) if parts else np.empty((0, len(space.columns)), dtype=np.float32)
        return cls(pa.concat_arrays(ids) if ids else pa.array([], pa.string()), units, space)

    def place_of(self, customer_id: str) -> int:
        """Return a customer's row; -1 where there is none."""
        low, high = 0, len(self.ids)
        while low < high:
            middle = (low + high) // 2
            if self.ids[middle].as_py() < customer_id:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self.ids) and self.ids[low].as_py() == customer_id else -1

    def of(self, customer_id: str, most: int = 10, weights: Mapping[str, float] | None = None) -> tuple[Neighbour, ...]:
        """Return the customers most like one, the nearest first; none for a customer without facts to compare.

        Raises
        ------
        SnapshotError
            When the customer is not among them.
        SettingsError
            When a weight is not possible.
        """
        row = self.place_of(customer_id)
        if row < 0:
            raise SnapshotError(f"Customer {customer_id!r} cannot be compared: not among the {len(self.ids):,} of this version.")
        own, (wanted, default) = np.asarray(self.units[row]), self.weights(weights)
        if not own.any():
            return ()
        places, cosines = nearest(self.units, own, most, weights=wanted, default=default, without=row)
        return tuple(
            Neighbour(self.ids[int(place)].as_py(), float(cosine), tuple(shared_facts(self.space, own, self.units[place])))
            for place, cosine in zip(places, cosines, strict=True)
        )

    def all(self, most: int = 10) -> pa.Table:
        """Return the nearest customers of everybody: customer_id, rank, neighbour_id, similarity.

        Raises
        ------
        SettingsError
            When there are too many customers to compare each with each.
        """
        if len(self.ids) > MOST_FOR_ALL:
            raise SettingsError(
                f"{len(self.ids):,} customers are too many to compare each with each; up to {MOST_FOR_ALL:,} can be. "
                "Ask for single customers, or for an audience."
            )
        places, cosines = all_nearest(np.ascontiguousarray(self.units), most)
        n, width = places.shape
        return pa.table(
            {
                "customer_id": self.ids.take(pa.array(np.repeat(np.arange(n), width))),
                "rank": pa.array(np.tile(np.arange(1, width + 1), n), pa.int32()),
                "neighbour_id": self.ids.take(pa.array(places.reshape(-1))),
                "similarity": pa.array(np.round(cosines.reshape(-1), 6)),
            }
        )

    def weights(self, given: Mapping[str, float] | None) -> tuple[Array | None, Array]:
        """Return what facts shall count (None = as made) and what they counted when the matrix was made."""
        default = self.space.weights()
        return (self.space.weights(given) if given else None), default


def weights_of_version(genome: Genome) -> dict[str, float]:
    """Return the weights of facts that the settings of a version held; none in versions made before there were any."""
    found = genome.manifest.get("settings", {}).get("similarity", {}).get("weights", {})
    return {str(name): float(value) for name, value in found.items()}


def similar_to(genome: Genome, customer_id: str, most: int = 10) -> tuple[Neighbour, ...]:
    """Return the customers most like one; none in a version too large to be placed now."""
    try:
        return Neighbours.open(genome).of(customer_id, most)
    except SnapshotError:
        return ()


def write_neighbours(folder: Path, wanted: Mapping[str, float] | None = None) -> None:
    """Write the matrix and the ids of the customers published in a folder; nothing where there is nothing to compare.

    `wanted` are the weights of facts that the shop has set; they are kept with the matrix and hold whoever asks.

    Above `MOST_CUSTOMERS` there is none either: such a version is published all the same.
    """
    with Genome(Snapshot("being written", folder, {})) as genome:
        n = int(genome.query("select count(*) as n from customers")["n"][0].as_py())
        space = _space(genome, wanted)
        if not n or n > MOST_CUSTOMERS or not space.columns:
            return
        schema = pa.schema([("customer_id", pa.string())], metadata={_SPACE: json.dumps(space.as_json()).encode()})
        units = np.lib.format.open_memmap(folder / MATRIX, mode="w+", dtype=np.float32, shape=(n, len(space.columns)))
        start = 0
        with pa.OSFile(str(folder / NAMES), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for batch in _facts(genome, space.columns):
                units[start : start + batch.num_rows] = space.place(_columns(batch, space.columns))
                writer.write_batch(pa.record_batch([batch.column("customer_id").cast(pa.string())], schema=schema))
                start += batch.num_rows
        units.flush()


def _stored(folder: Path) -> tuple[pa.Array, Unit, Space] | None:
    """Return ids, unit vectors and space from the files of a version; None where it has none."""
    if not (folder / MATRIX).exists() or not (folder / NAMES).exists():
        return None
    with pa.memory_map(str(folder / NAMES)) as file:
        table = pa.ipc.open_file(file).read_all()
    column = table.column("customer_id")
    ids = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())
    units = np.load(folder / MATRIX, mmap_mode="r")
    if len(units) != len(ids):
        raise SnapshotError(f"{folder}: {MATRIX} has {len(units):,} rows for {len(ids):,} ids. Check it with `genome doctor`.")
    return ids, units, Space.from_json(json.loads(table.schema.metadata[_SPACE]))


def _space(genome: Genome, wanted: Mapping[str, float] | None = None) -> Space:
    """Return the scale of every fact, learned from the customers or a part of them drawn by digest."""
    names = wanted_columns(genome.query("select * from customers limit 0").column_names)
    listed = ", ".join(f'"{name}"' for name in names)
    if not names:
        return Space.of({})
    rows = genome.query(
        f"select customer_id, {listed} from (select *, md5(customer_id) as d from customers) order by d, customer_id limit {SCALED_BY}"
    )
    return Space.of(_columns(rows.sort_by("customer_id"), names), wanted)


def _facts(genome: Genome, columns: Sequence[str]) -> pa.RecordBatchReader:
    """Return ids and facts in the order of the ids, in batches."""
    listed = "".join(f', "{name}"' for name in columns)
    return genome.batches(f"select customer_id{listed} from customers order by customer_id")


def _columns(rows: pa.Table | pa.RecordBatch, columns: Sequence[str]) -> dict[str, Array]:
    """Return columns as floats; NaN = unknown."""
    found = {}
    for name in columns:
        values: Any = rows.column(name).cast(pa.float64())
        found[name] = np.asarray(values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy())
    return found


_WORDS: Mapping[str, tuple[str, str]] = {
    "recency_days": ("long quiet", "ordered lately"),
    "n_orders": ("many orders", "few orders"),
    "total_spend": ("high spend", "low spend"),
    "mean_order_value": ("large orders", "small orders"),
    "tenure_days": ("customer for long", "new"),
    "unique_products": ("many products", "few products"),
    "spend_trend": ("spend rising", "spend falling"),
    "discount_share": ("often at a discount", "seldom at a discount"),
    "return_share": ("returns much", "returns little"),
}


def fact_words(name: str, is_high: bool) -> str:
    """Return a fact above or below average in words.

    Examples
    --------
    >>> fact_words("n_orders", True), fact_words("category_share_toys", False)
    ('many orders', 'little Toys')
    """
    if name in _WORDS:
        return _WORDS[name][0 if is_high else 1]
    category = name.removeprefix("category_share_").replace("_", " ").capitalize()
    return f"{'much' if is_high else 'little'} {category}"
