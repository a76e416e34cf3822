-- What models of spend and clusters learn from, with the stratum a sample is drawn in: 1, 2, 3 to 5, 6 or more purchase days. Every fact
-- comes along, since settings may name any of them as a feature of the clusters.
select
    *,
    cast(case when n_purchase_days >= 6 then 6 when n_purchase_days >= 3 then 3 else n_purchase_days end as bigint) as stratum
from customer_facts
where as_of = (select max(as_of) from cutoffs)
