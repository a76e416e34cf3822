"""One place for tables: an engine runs portable SQL over contracts, and every input row is accounted for."""
