-- Purchases and returns of every customer and product of which anything came back: what matching returns needs at any
-- cutoff. Country, discount, category and description tell purchases apart that are equal in time, quantity and money.
with returned as (
    select distinct customer_id, product_id
    from returned_lines
    where product_id is not null
)

select
    l.line_id, l.customer_id, l.order_id, l.product_id, l.ordered_at, l.quantity, l.price, l.revenue, 0 as is_return,
    l.country, l.discount, l.category, l.description
from order_lines as l
inner join returned as r on l.customer_id = r.customer_id and l.product_id = r.product_id
union all
select
    line_id, customer_id, order_id, product_id, ordered_at, quantity, cast(null as decimal(18, 4)) as price, revenue, 1 as is_return,
    cast(null as string) as country, cast(null as decimal(18, 4)) as discount, cast(null as string) as category,
    cast(null as string) as description
from returned_lines
where product_id is not null
