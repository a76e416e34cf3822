"""How good predictions are, from arrays of what was predicted and what came: pure, nothing is read or fitted on the future."""
