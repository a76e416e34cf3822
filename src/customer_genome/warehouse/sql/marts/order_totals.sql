-- Orders in one pass, gross. `is_single`: all its lines fall on one day and in one country, as nearly all orders do.
select
    customer_id,
    order_id,
    min(ordered_on) as ordered_on,
    min(country) as country,
    min(ordered_at) as ordered_at,
    count(*) as n_lines,
    sum(quantity) as quantity,
    sum(revenue) as revenue,
    sum(case when discount > 0 then revenue else 0 end) as discounted_revenue,
    sum(discount) as discount,
    min(ordered_on) = max(ordered_on) and min(country) = max(country) as is_single
from order_lines
group by customer_id, order_id
