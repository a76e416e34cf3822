-- The purchases: every kept line once, gross. What was taken back later stands in `refunds`.
select
    line_id,
    customer_id,
    order_id,
    ordered_at,
    cast(ordered_at as date) as ordered_on,
    product_id,
    description,
    quantity,
    price,
    revenue,
    discount,
    country,
    category
from numbered_lines as l
where row_class = 'kept' and not exists (select 1 from repeated_lines as r where r.line_id = l.line_id)
