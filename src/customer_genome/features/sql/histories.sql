-- How many customers share each purchase history. Purchase models need nothing else, so a fit does not grow with customers.
select
    as_of,
    n_purchase_days - 1 as frequency,
    activity_days as recency_days,
    tenure_days - 1 as age_days,
    cast(count(*) as bigint) as n_customers
from customer_facts
group by as_of, n_purchase_days, activity_days, tenure_days
