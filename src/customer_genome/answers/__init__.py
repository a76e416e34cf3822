"""Questions put to a published version: who is like whom, whom to contact, what if, what changed, what to hand out."""
