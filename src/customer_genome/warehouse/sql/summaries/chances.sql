-- Customers per tenth of the chance to return: all, those who spent little, and those of them who are likely to return.
with known as (
    select total_spend, 1 - churn_probability as chance
    from customers_to_summarise
    where total_spend is not null and churn_probability is not null
)

select
    least(greatest(cast(floor(chance * 10) as bigint), 0), 9) as tenth,
    cast(count(*) as bigint) as n,
    cast(sum(case when total_spend <= low_spend() then 1 else 0 end) as bigint) as n_low,
    cast(sum(case when total_spend <= low_spend() and chance >= likely_to_return() then 1 else 0 end) as bigint) as n_likely
from known
group by least(greatest(cast(floor(chance * 10) as bigint), 0), 9)
