-- Orders cut by day and country, gross: small enough to ask again for every cutoff, fine enough that a line after a
-- cutoff never shows before it.
select
    customer_id,
    order_id,
    ordered_on,
    country,
    min(ordered_at) as ordered_at,
    count(*) as n_lines,
    sum(quantity) as quantity,
    sum(revenue) as revenue,
    sum(case when discount > 0 then revenue else 0 end) as discounted_revenue,
    sum(discount) as discount
from order_lines
group by customer_id, order_id, ordered_on, country
