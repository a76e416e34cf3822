-- What each refund policy makes of revenue at the latest cutoff, and what could not be matched to a purchase.
with bought as (
    select cast(sum(revenue) as double) as revenue
    from order_days
    where ordered_on < (select max(as_of) from cutoffs)
),

returned as (
    select
        r.line_id, r.quantity, r.revenue,
        coalesce(m.matched_quantity, 0) as matched_quantity
    from returned_lines as r
    left join return_matches as m on m.line_id = r.line_id and m.is_return = 1 and m.as_of = (select max(as_of) from cutoffs)
    where r.ordered_on < (select max(as_of) from cutoffs)
),

came_back as (
    select
        count(*) as returned_lines,
        coalesce(-cast(sum(revenue) as double), 0.0e0) as returned_value,
        count(case when matched_quantity < -quantity then 1 end) as unmatched_lines,
        coalesce(-sum(cast(revenue as double) * (1.0e0 + cast(matched_quantity as double) / cast(quantity as double))), 0.0e0) as unmatched_value
    from returned
),

netted as (
    select coalesce(cast(sum(refunded_money) as double), 0.0e0) as matched_value
    from return_matches
    where is_return = 0 and as_of = (select max(as_of) from cutoffs)
)

select
    b.revenue as revenue_under_drop,
    cast(cast(b.revenue - n.matched_value as decimal(18, 4)) as double) as revenue_under_net,
    cast(c.returned_lines as bigint) as returned_lines,
    c.returned_value,
    n.matched_value,
    cast(c.unmatched_lines as bigint) as unmatched_lines,
    cast(cast(c.unmatched_value as decimal(18, 4)) as double) as unmatched_value
from bought as b
cross join came_back as c
cross join netted as n
