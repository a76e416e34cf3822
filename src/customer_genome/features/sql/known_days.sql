-- Order days as each cutoff knew them: nothing at or after as_of, refunds taken off under policy `net`. A cutoff that only some
-- customers are drawn for has the mark below which their digests lie; above every digest is 'g', for everybody.
with refunded as (
    select r.as_of, l.customer_id, l.order_id, l.ordered_on, l.country,
           sum(case when r.is_whole then 1 else 0 end) as n_lines,
           sum(r.quantity) as quantity,
           sum(r.money) as money,
           sum(case when l.discount > 0 then r.money else 0 end) as discounted_money
    from refunds as r
    inner join order_lines as l on r.line_id = l.line_id
    group by r.as_of, l.customer_id, l.order_id, l.ordered_on, l.country
)

select
    c.as_of,
    o.customer_id,
    o.order_id,
    o.ordered_on,
    o.country,
    o.ordered_at,
    o.n_lines - coalesce(r.n_lines, 0) as n_lines,
    o.quantity - coalesce(r.quantity, 0) as quantity,
    o.revenue - coalesce(r.money, 0) as revenue,
    o.discounted_revenue - coalesce(r.discounted_money, 0) as discounted_revenue,
    o.discount,
    o.is_single
from order_days as o
inner join cutoffs as c on o.ordered_on < c.as_of
left join refunded as r
    on r.as_of = c.as_of and r.customer_id = o.customer_id and r.order_id = o.order_id
    and r.ordered_on = o.ordered_on and r.country = o.country
where o.n_lines > coalesce(r.n_lines, 0) and (c.digest_below = 'g' or left(digest(o.customer_id), 8) < c.digest_below)
