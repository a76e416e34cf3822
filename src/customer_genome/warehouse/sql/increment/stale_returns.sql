-- Customers and products whose returns have to be matched again: new events, or events between the cutoff before and now.
select customer_id, product_id
from fresh_return_events
union
select e.customer_id, e.product_id
from return_events as e
cross join cutoffs as c
cross join matched_cutoffs as m
where e.ordered_at >= least(c.as_of, m.as_of) and e.ordered_at < greatest(c.as_of, m.as_of)
