-- One row per order and cutoff; an order is placed at its earliest known line.
select
    as_of,
    customer_id,
    order_id,
    min(ordered_at) as ordered_at,
    min(ordered_on) as ordered_on,
    sum(n_lines) as n_lines,
    sum(quantity) as quantity,
    sum(revenue) as revenue,
    sum(discounted_revenue) as discounted_revenue,
    sum(discount) as discount
from known_days
group by as_of, customer_id, order_id
