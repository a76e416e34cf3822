-- The totals of orders that got new lines.
select
    customer_id, order_id,
    min(ordered_on) as ordered_on,
    min(country) as country,
    min(ordered_at) as ordered_at,
    cast(sum(n_lines) as bigint) as n_lines,
    sum(quantity) as quantity,
    sum(revenue) as revenue,
    sum(discounted_revenue) as discounted_revenue,
    sum(discount) as discount,
    count(*) = 1 as is_single
from touched_order_days
group by customer_id, order_id
