-- The purchases: every kept line once, gross. What was taken back later stands in `refunds`.
-- A left join finds the copies: DuckDB keeps every column of every line for a while to answer `not exists` (20 times the work).
select
    l.line_id,
    l.customer_id,
    l.order_id,
    l.ordered_at,
    cast(l.ordered_at as date) as ordered_on,
    l.product_id,
    l.description,
    l.quantity,
    l.price,
    l.revenue,
    l.discount,
    l.country,
    l.category
from numbered_lines as l
left join repeated_lines as r on l.line_id = r.line_id
where l.row_class = 'kept' and r.line_id is null
