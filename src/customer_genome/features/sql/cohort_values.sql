-- What the customers won in each month are predicted to do and spend over the horizon, added up in decimals: the same sum on every
-- engine and any number of threads.
select
    cast(date_trunc('month', f.first_order_on) as date) as cohort,
    cast(sum(cast(v.predicted_days as decimal(38, 10))) as double) as days,
    cast(sum(cast(v.predicted_spend as decimal(38, 10))) as double) as spend
from customer_values as v
inner join customer_facts as f on v.customer_id = f.customer_id
where f.as_of = (select max(as_of) from cutoffs)
group by cast(date_trunc('month', f.first_order_on) as date)
