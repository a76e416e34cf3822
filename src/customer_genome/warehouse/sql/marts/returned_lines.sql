-- Goods that came back: cancelled lines with a negative quantity, each once.
select
    line_id,
    customer_id,
    order_id,
    ordered_at,
    cast(ordered_at as date) as ordered_on,
    product_id,
    quantity,
    revenue
from numbered_lines
where row_class = 'cancelled' and quantity < 0 and line_id not in (select line_id from repeated_lines)
