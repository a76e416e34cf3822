"""The version of the product, written into everything it stores."""

__version__ = "0.1.0"
