-- What the warehouse holds of the contents that were delivered, and how often.
with hashed as (
    select
        l.*,
        hash(
            l.customer_id, l.order_id, l.ordered_at, l.product_id, l.description, l.quantity, l.price, l.revenue, l.discount,
            l.country, l.category, l.currency, l.status, l.raw_row
        ) as content_hash
    from lines as l
    inner join near_lines as n on l.rowid = n.line_id
)

select
    content_hash, customer_id, order_id, ordered_at, product_id, description, quantity, price, revenue, discount, country,
    category, currency, status, raw_row, count(*) as n_stored
from hashed
where content_hash in (select content_hash from delivered_hashes)
group by all
