-- Customers per set of playbooks that fit them.
select matching, cast(count(*) as bigint) as n
from customers_to_summarise
where matching is not null
group by matching
