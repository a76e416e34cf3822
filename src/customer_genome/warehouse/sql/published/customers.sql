-- One row per customer: facts as of the cutoff, attributes the shop gave, and every prediction and decision.
with facts as (
    select *
    from customer_facts
    where as_of = (select max(as_of) from cutoffs)
),

predicted as (
    select p.*, s.customer_id is not null as is_suppressed
    from predictions as p
    left join suppressed as s on p.customer_id = s.customer_id
)

select *
from facts
inner join predicted using (customer_id)
order by customer_id
