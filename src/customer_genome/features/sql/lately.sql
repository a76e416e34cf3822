-- What each customer did in the last horizon before a cutoff, in the one before it, and in the last month: the windows that
-- formulas such as "the same as last time" look at. A horizon is as long as the one to be forecast.
with aged as (
    select
        k.as_of,
        k.customer_id,
        k.revenue,
        c.horizon_days,
        days_between(k.ordered_on, k.as_of) as days_ago
    from known_orders as k
    inner join cutoffs as c on k.as_of = c.as_of
)

select
    as_of,
    customer_id,
    cast(sum(case when days_ago <= horizon_days then 1 else 0 end) as bigint) as orders_last_horizon,
    cast(sum(case when days_ago <= horizon_days then revenue else 0 end) as double) as spend_last_horizon,
    cast(sum(case when days_ago > horizon_days and days_ago <= 2 * horizon_days then 1 else 0 end) as bigint) as orders_prior_horizon,
    cast(sum(case when days_ago > horizon_days and days_ago <= 2 * horizon_days then revenue else 0 end) as double) as spend_prior_horizon,
    cast(sum(case when days_ago <= 30 then 1 else 0 end) as bigint) as orders_last_30d,
    cast(sum(case when days_ago <= 30 then revenue else 0 end) as double) as spend_last_30d,
    cast(max(revenue) as double) as largest_order_value
from aged
group by as_of, customer_id
