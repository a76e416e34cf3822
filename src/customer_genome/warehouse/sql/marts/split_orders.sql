-- The few orders that run over several days or countries: the only ones that are looked at line by line again.
select customer_id, order_id
from order_totals
where not is_single
