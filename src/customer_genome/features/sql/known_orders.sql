-- One row per order and cutoff; an order is placed at its earliest known line. Only orders cut by day are added up again.
select as_of, customer_id, order_id, ordered_at, ordered_on, n_lines, quantity, revenue, discounted_revenue, discount
from known_days
where is_single
union all
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
where not is_single
group by as_of, customer_id, order_id
