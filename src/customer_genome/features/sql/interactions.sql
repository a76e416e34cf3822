-- Who had bought which item on which day, as each cutoff knew it: one row per customer, item and day. What an item is
-- (a product, its name, its category) is said by `recommended_item`; lines without one tell nothing about taste.
with named as (
    select
        c.as_of,
        l.customer_id,
        l.ordered_on,
        recommended_item(l.product_id, l.description, l.category, p.item) as item
    from order_lines as l
    inner join cutoffs as c on l.ordered_on < c.as_of
    left join refunds as r on r.as_of = c.as_of and r.line_id = l.line_id
    left join recommended_products as p on l.product_id = p.product_id
    where r.is_whole is null or not r.is_whole
)

select as_of, customer_id, item, ordered_on
from named
where item is not null
group by as_of, customer_id, item, ordered_on
