-- Recency, frequency, monetary and their raw counts. Recency of a customer who bought on the last known day is 1.
select
    as_of,
    customer_id,
    cast(count(*) as bigint) as n_orders,
    cast(sum(n_lines) as bigint) as n_lines,
    cast(sum(quantity) as double) as total_quantity,
    cast(sum(revenue) as double) as total_spend,
    cast(sum(revenue) as double) / count(*) as mean_order_value,
    min(ordered_on) as first_order_on,
    max(ordered_on) as last_order_on,
    days_between(max(ordered_on), as_of) as recency_days,
    days_between(min(ordered_on), as_of) as tenure_days,
    days_between(min(ordered_on), max(ordered_on)) as activity_days
from known_orders
group by as_of, customer_id
