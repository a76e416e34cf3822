-- Spend and share per customer and category; lines without a key are Other.
with spend as (
    select l.as_of, l.customer_id, coalesce(c.category, 'Other') as category, sum(l.revenue) as revenue
    from known_lines as l
    left join line_categories as c on category_key(l.product_id, l.description, l.category) = c.line_key
    group by l.as_of, l.customer_id, coalesce(c.category, 'Other')
)

select
    as_of,
    customer_id,
    category,
    cast(revenue as double) as revenue,
    cast(revenue as double) / nullif(cast(sum(revenue) over (partition by as_of, customer_id) as double), 0) as share
from spend
