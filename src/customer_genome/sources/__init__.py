"""Raw data in, read-only: every source returns a description of a table, or Arrow batches."""

from customer_genome.sources.files import describe_arrow, describe_file

__all__ = ["describe_arrow", "describe_file"]
