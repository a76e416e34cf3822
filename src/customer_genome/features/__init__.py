"""Facts about each customer as of a cutoff, written once in SQL that every engine runs."""
