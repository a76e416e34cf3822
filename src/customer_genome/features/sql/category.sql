-- Spend and share per customer and category.
with spend as (
    select as_of, customer_id, category, sum(revenue) as revenue
    from categorised_lines
    group by as_of, customer_id, category
)

select
    as_of,
    customer_id,
    category,
    cast(revenue as double) as revenue,
    cast(revenue as double) / nullif(cast(sum(revenue) over (partition by as_of, customer_id) as double), 0) as share
from spend
