"""Recommenders: popularity, personal history, similar customers, items alike, factors, a blend and a re-ranker; who is best where."""
