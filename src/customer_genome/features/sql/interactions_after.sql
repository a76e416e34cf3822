-- What was bought from each cutoff to the end of its horizon, returned later or not: what lists are judged by.
with named as (
    select
        c.as_of,
        l.customer_id,
        l.ordered_on,
        recommended_item(l.product_id, l.description, l.category, p.item) as item
    from order_lines as l
    inner join cutoffs as c on l.ordered_on >= c.as_of and days_between(c.as_of, l.ordered_on) < c.horizon_days
    left join recommended_products as p on l.product_id = p.product_id
)

select as_of, customer_id, item, ordered_on
from named
where item is not null
group by as_of, customer_id, item, ordered_on
