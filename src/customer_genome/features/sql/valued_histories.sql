-- Purchase histories as of the last cutoff with the spend of the customers who share each: all that sums over customers need.
select
    n_purchase_days - 1 as frequency,
    activity_days as recency_days,
    tenure_days - 1 as age_days,
    cast(count(*) as bigint) as n_customers,
    sum(greatest(mean_spend_per_day, 0.0)) as spend,
    sum(greatest(mean_spend_per_day, 0.0) * greatest(mean_spend_per_day, 0.0)) as squared_spend
from customer_facts
where as_of = (select max(as_of) from cutoffs)
group by n_purchase_days, activity_days, tenure_days
