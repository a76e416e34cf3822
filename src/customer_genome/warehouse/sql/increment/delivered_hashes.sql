-- One number per delivered line: lines whose numbers differ are different, so few need to be compared in full.
select
    rowid as place,
    hash(
        customer_id, order_id, ordered_at, product_id, description, quantity, price, revenue, discount, country, category,
        currency, status, raw_row
    ) as content_hash
from delivered
