-- Spend and share per customer and category.
with spend as (
    select l.as_of, l.customer_id, c.category, sum(l.revenue) as revenue
    from known_lines as l
    inner join line_categories as c
        on l.product_id is not distinct from c.product_id
        and l.description is not distinct from c.description
        and l.category is not distinct from c.line_category
    group by l.as_of, l.customer_id, c.category
)

select
    as_of,
    customer_id,
    category,
    cast(revenue as double) as revenue,
    cast(revenue as double) / nullif(cast(sum(revenue) over (partition by as_of, customer_id) as double), 0) as share
from spend
