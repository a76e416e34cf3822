"""Customer Genome: from a shop's raw transactions to what its people do next."""

__version__ = "0.1.0"
