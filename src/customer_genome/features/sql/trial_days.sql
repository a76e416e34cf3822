-- The purchase days that a choice among models looks at, with each customer's first one: of every customer, or of a share drawn by
-- digest where they are many.
with latest as (
    select customer_id, ordered_on
    from known_orders
    where as_of = (select max(as_of) from cutoffs)
),

drawn as (
    select c.customer_id
    from (select distinct customer_id from latest) as c
    inner join trial_share as s on left(digest(c.customer_id), 8) < s.digest_below
),

days as (
    select distinct l.customer_id, l.ordered_on
    from latest as l
    inner join drawn as d on l.customer_id = d.customer_id
)

select customer_id, ordered_on, min(ordered_on) over (partition by customer_id) as first_on
from days
