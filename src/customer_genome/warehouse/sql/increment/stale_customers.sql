-- Customers whose purchase lines are other ones than at the cutoff before: new lines, lines between the two cutoffs, or
-- returns that are matched otherwise.
select customer_id
from fresh_lines
where row_class = 'kept'
union
select l.customer_id
from lines as l
cross join cutoffs as c
cross join line_facts as f
where
    l.row_class = 'kept'
    and l.ordered_at >= cast(least(c.as_of, f.as_of) as timestamp) and l.ordered_at < cast(greatest(c.as_of, f.as_of) as timestamp)
union
select customer_id
from stale_returns
