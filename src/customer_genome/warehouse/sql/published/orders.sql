-- Every order known at the cutoff, for a customer's timeline.
select
    customer_id,
    order_id,
    ordered_at,
    ordered_on,
    cast(n_lines as bigint) as n_lines,
    cast(quantity as double) as quantity,
    published_money(cast(revenue as double)) as revenue
from known_orders
where as_of = (select max(as_of) from cutoffs)
order by customer_id, ordered_at, order_id
