"""Buy-till-you-die models: when customers order again, how much they spend, and what that is worth. Arrays in, arrays out."""
