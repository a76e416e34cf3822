-- Purchase lines of the customers of each cutoff as it knew them, with the money that is left of them under policy `net`.
select
    c.as_of,
    l.line_id,
    l.customer_id,
    l.order_id,
    l.product_id,
    l.description,
    l.category,
    l.revenue - coalesce(r.money, 0) as revenue
from order_lines as l
inner join cutoffs as c on l.ordered_on < c.as_of
left join refunds as r on r.as_of = c.as_of and r.line_id = l.line_id
where (r.is_whole is null or not r.is_whole) and (c.digest_below = 'g' or left(digest(l.customer_id), 8) < c.digest_below)
