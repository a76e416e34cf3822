-- The delivered lines that the warehouse does not hold yet, in their order. Of a content that comes d times and is held s
-- times the copies above s are new; `copy_number` says which copy a line is.
with shared as (
    select content_hash
    from delivered_hashes
    group by content_hash
    having count(*) > 1
    union
    select content_hash
    from stored_copies
),

ranked as (
    select
        h.place, h.content_hash,
        row_number() over (
            partition by
                h.content_hash, d.customer_id, d.order_id, d.ordered_at, d.product_id, d.description, d.quantity, d.price,
                d.revenue, d.discount, d.country, d.category, d.currency, d.status, d.raw_row
            order by h.place
        ) as copy_number
    from delivered_hashes as h
    inner join delivered as d on h.place = d.rowid
    where h.content_hash in (select content_hash from shared)
),

counted as (
    select r.place, r.copy_number, coalesce(s.n_stored, 0) as n_stored
    from ranked as r
    inner join delivered as d on r.place = d.rowid
    left join stored_copies as s
        on r.content_hash = s.content_hash
        and d.customer_id is not distinct from s.customer_id
        and d.order_id is not distinct from s.order_id
        and d.ordered_at is not distinct from s.ordered_at
        and d.product_id is not distinct from s.product_id
        and d.description is not distinct from s.description
        and d.quantity is not distinct from s.quantity
        and d.price is not distinct from s.price
        and d.revenue is not distinct from s.revenue
        and d.discount is not distinct from s.discount
        and d.country is not distinct from s.country
        and d.category is not distinct from s.category
        and d.currency is not distinct from s.currency
        and d.status is not distinct from s.status
        and d.raw_row is not distinct from s.raw_row
),

added as (
    select place, copy_number
    from counted
    where copy_number > n_stored
    union all
    select h.place, 1 as copy_number
    from delivered_hashes as h
    where h.content_hash not in (select content_hash from shared)
)

select first_new_line() + row_number() over (order by a.place) - 1 as line_id, a.copy_number, d.*
from added as a
inner join delivered as d on a.place = d.rowid
order by a.place
