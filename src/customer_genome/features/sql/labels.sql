-- What every customer known at a cutoff did in the horizon after it: [as_of, as_of + horizon_days). An order counts where its
-- first line falls; its money counts in the days on which it was spent, less what had come back by the end of the horizon
-- under policy `net`. A horizon that the data do not cover to its end is not complete.
with refunded as (
    select
        r.ends_on, l.customer_id, l.order_id, l.ordered_on, l.country,
        sum(case when r.is_whole then 1 else 0 end) as n_lines,
        sum(r.money) as money
    from label_refunds as r
    inner join order_lines as l on r.line_id = l.line_id
    group by r.ends_on, l.customer_id, l.order_id, l.ordered_on, l.country
),

bought as (
    select
        c.as_of,
        o.customer_id,
        o.order_id,
        case when t.ordered_on >= c.as_of then t.ordered_on end as placed_on,
        o.revenue - coalesce(r.money, 0) as revenue
    from order_days as o
    inner join cutoffs as c on o.ordered_on >= c.as_of and o.ordered_on < c.as_of + c.horizon_days
    inner join order_totals as t on o.customer_id = t.customer_id and o.order_id = t.order_id
    left join refunded as r
        on r.ends_on = c.as_of + c.horizon_days and r.customer_id = o.customer_id and r.order_id = o.order_id
        and r.ordered_on = o.ordered_on and r.country = o.country
    where o.n_lines > coalesce(r.n_lines, 0) and (c.digest_below = 'g' or left(digest(o.customer_id), 8) < c.digest_below)
),

totals as (
    select
        as_of,
        customer_id,
        cast(count(distinct case when placed_on is not null then order_id end) as bigint) as n_orders,
        cast(count(distinct placed_on) as bigint) as n_purchase_days,
        cast(sum(revenue) as double) as spend
    from bought
    group by as_of, customer_id
),

observed as (
    select max(ordered_on) as last_day
    from order_lines
)

select
    k.as_of,
    k.customer_id,
    c.horizon_days,
    coalesce(t.n_orders, 0) as n_orders,
    coalesce(t.n_purchase_days, 0) as n_purchase_days,
    coalesce(t.spend, 0.0e0) as spend,
    c.as_of + c.horizon_days <= o.last_day + 1 as is_complete
from rfm as k
inner join cutoffs as c on k.as_of = c.as_of
cross join observed as o
left join totals as t on k.as_of = t.as_of and k.customer_id = t.customer_id
