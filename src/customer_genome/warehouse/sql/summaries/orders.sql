-- Customers by number of orders, those with many together.
select
    least(cast(floor(n_orders) as bigint), 21) as orders,
    cast(count(*) as bigint) as n,
    max(n_orders) as most_orders
from customers_to_summarise
where n_orders is not null
group by least(cast(floor(n_orders) as bigint), 21)
