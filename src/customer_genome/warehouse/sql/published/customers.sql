-- One row per customer: facts as of the cutoff, attributes the shop gave, and every prediction and decision.
select k.*, s.customer_id is not null as is_suppressed
from scored_customers as k
left join suppressed as s on k.customer_id = s.customer_id
order by k.customer_id
