"""How good it is, and whether it is the same everywhere: the path of a run at past cutoffs, and on two engines."""
