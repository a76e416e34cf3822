-- Share of spend in discounted lines; null where the data carry no discount at all.
select
    as_of,
    customer_id,
    case when has_discounts() then cast(sum(discounted_revenue) as double) / nullif(cast(sum(revenue) as double), 0) end as discount_share
from known_orders
group by as_of, customer_id
