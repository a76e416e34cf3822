"""The stages of a run, called one after another by `pipeline`, `customer_level` and `refresh`; none of them calls those."""
