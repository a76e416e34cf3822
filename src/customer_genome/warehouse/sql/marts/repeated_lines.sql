-- Rows equal to an earlier row of the same customer and order in every contract column. Rows with a hash of their own
-- cannot be repeated, so only the few that share one are compared in full. Cancellations are included: an export that
-- overlaps another must not take the same goods back twice.
with hashed as (
    select
        line_id,
        row_hash(
            customer_id, order_id, product_id, description, ordered_at, quantity, price, revenue, discount, country,
            category, currency
        ) as line_hash
    from numbered_lines
    where row_class in ('kept', 'cancelled')
),

shared as (
    select line_hash
    from hashed
    group by line_hash
    having count(*) > 1
),

candidates as (
    select line_id
    from hashed
    where line_hash in (select line_hash from shared)
),

ranked as (
    select
        line_id, customer_id, row_class, revenue,
        row_number() over (
            partition by
                customer_id, order_id, product_id, description, ordered_at, quantity, price, revenue, discount, country,
                category, currency, status
            order by line_id
        ) as copy_number
    from numbered_lines
    where line_id in (select line_id from candidates)
)

select line_id, customer_id, row_class, revenue
from ranked
where copy_number > 1
