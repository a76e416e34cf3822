-- Everything that these returns may be matched with.
select e.*
from return_events as e
inner join stale_returns as s on e.customer_id = s.customer_id and e.product_id = s.product_id
