-- Ripe lines as the staging text takes them. A line without an order id was given its time as one.
select
    customer_id, ordered_at, product_id, description, quantity, price, revenue as money, discount, country, category,
    currency, status, nullif(order_id, time_text(ordered_at)) as order_id, cast(raw_row as json) as raw_row
from ripe_lines
