-- Ripe lines with the class they have now; `copy_number` says which copy of its content a line is.
select
    p.line_id,
    row_number() over (
        partition by
            l.customer_id, l.order_id, l.ordered_at, l.product_id, l.description, l.quantity, l.price, l.revenue, l.discount,
            l.country, l.category, l.currency, l.status, l.raw_row
        order by p.line_id
    ) as copy_number,
    l.*
from lines as l
inner join ripe_lines as p on l.rowid = p.line_id
