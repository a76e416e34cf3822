"""The report: one page that works offline, made of sections, each with its template beside it."""
