-- Matches that are at this cutoff what they were at the one before.
select m.* replace (c.as_of as as_of)
from return_matches as m
cross join cutoffs as c
left join stale_returns as s on m.customer_id = s.customer_id and m.product_id = s.product_id
where s.customer_id is null
