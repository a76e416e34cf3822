-- Stored lines that lay too far ahead when they were read, and no longer do.
select rowid as line_id, *
from lines
where row_class = 'bad_date' and ordered_at >= earliest_time() and ordered_at < latest_time()
order by rowid
