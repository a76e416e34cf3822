-- Orders that got new lines, cut by day and country: what stood of them and what came.
with pieces as (
    select customer_id, order_id, ordered_on, country, ordered_at, n_lines, quantity, revenue, discounted_revenue, discount
    from fresh_order_days
    union all
    select
        o.customer_id, o.order_id, o.ordered_on, o.country, o.ordered_at, o.n_lines, o.quantity, o.revenue,
        o.discounted_revenue, o.discount
    from order_totals as o
    inner join touched_orders as t on o.rowid = t.place
    where o.is_single
    union all
    select
        o.customer_id, o.order_id, o.ordered_on, o.country, o.ordered_at, o.n_lines, o.quantity, o.revenue,
        o.discounted_revenue, o.discount
    from split_order_days as o
    inner join touched_orders as t on o.customer_id = t.customer_id and o.order_id = t.order_id
)

select
    customer_id, order_id, ordered_on, country,
    min(ordered_at) as ordered_at,
    cast(sum(n_lines) as bigint) as n_lines,
    sum(quantity) as quantity,
    sum(revenue) as revenue,
    sum(discounted_revenue) as discounted_revenue,
    sum(discount) as discount
from pieces
group by customer_id, order_id, ordered_on, country
