-- What comes into the matching of returns: new returns, new purchases of what is matched already, and every purchase of what
-- came back for the first time.
with known as (
    select distinct customer_id, product_id
    from return_events
)

select
    l.line_id, l.customer_id, l.order_id, l.product_id, l.ordered_at, l.quantity, l.price, l.revenue, 0 as is_return,
    l.country, l.discount, l.category, l.description
from fresh_order_lines as l
inner join known as k on l.customer_id = k.customer_id and l.product_id = k.product_id
union all
select
    l.rowid as line_id, l.customer_id, l.order_id, l.product_id, l.ordered_at, l.quantity, l.price, l.revenue, 0 as is_return,
    l.country, l.discount, l.category, l.description
from lines as l
inner join newly_returned_lines as n on l.rowid = n.line_id
union all
select
    line_id, customer_id, order_id, product_id, ordered_at, quantity, cast(null as decimal(18, 4)) as price, revenue, 1 as is_return,
    cast(null as varchar) as country, cast(null as decimal(18, 4)) as discount, cast(null as varchar) as category,
    cast(null as varchar) as description
from fresh_returned_lines
where product_id is not null
