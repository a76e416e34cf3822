"""The dashboard: one file per page, each reading the published snapshot only."""
