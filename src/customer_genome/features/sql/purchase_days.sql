-- One row per customer and purchase day as of the last cutoff, with the customer's first one.
with days as (
    select distinct customer_id, ordered_on
    from known_orders
    where as_of = (select max(as_of) from cutoffs)
)

select customer_id, ordered_on, min(ordered_on) over (partition by customer_id) as first_on
from days
