-- Orders cut by day and country, gross: small enough to ask again for every cutoff, fine enough that a line after a
-- cutoff never shows before it.
select customer_id, order_id, ordered_on, country, ordered_at, n_lines, quantity, revenue, discounted_revenue, discount, is_single
from order_totals
where is_single
union all
select customer_id, order_id, ordered_on, country, ordered_at, n_lines, quantity, revenue, discounted_revenue, discount, false as is_single
from split_order_days
