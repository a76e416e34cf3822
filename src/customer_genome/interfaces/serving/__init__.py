"""The dashboard's server: who may come in, files handed in, and runs started from a page."""
