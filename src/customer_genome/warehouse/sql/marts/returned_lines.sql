-- Goods that came back: cancelled lines with a negative quantity, each once.
select
    l.line_id,
    l.customer_id,
    l.order_id,
    l.ordered_at,
    cast(l.ordered_at as date) as ordered_on,
    l.product_id,
    l.quantity,
    l.revenue
from numbered_lines as l
left join repeated_lines as r on l.line_id = r.line_id
where l.row_class = 'cancelled' and l.quantity < 0 and r.line_id is null
