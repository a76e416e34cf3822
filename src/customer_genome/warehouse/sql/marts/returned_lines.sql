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
from numbered_lines as l
where row_class = 'cancelled' and quantity < 0 and not exists (select 1 from repeated_lines as r where r.line_id = l.line_id)
