-- One row per customer: facts as of the cutoff, attributes the shop gave, and every prediction and decision.
select f.*, p.* exclude (customer_id), s.customer_id is not null as is_suppressed
from customer_facts as f
inner join predictions as p on f.customer_id = p.customer_id
left join suppressed as s on f.customer_id = s.customer_id
where f.as_of = (select max(as_of) from cutoffs)
order by f.customer_id
