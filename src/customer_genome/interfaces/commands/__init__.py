"""The commands of `genome`, one file for each topic; `interfaces.cli` registers them."""
