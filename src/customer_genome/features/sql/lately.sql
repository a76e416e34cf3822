-- What each customer did in recent windows before a cutoff: the last horizon (as long as the one to be forecast) and the one
-- before it, the last months, the same season one year ago, purchase days and money with memories that fade, and the last gaps.
with orders as (
    select
        k.as_of,
        k.customer_id,
        k.revenue,
        c.horizon_days,
        days_between(k.ordered_on, k.as_of) as days_ago
    from known_orders as k
    inner join cutoffs as c on k.as_of = c.as_of
),

days as (
    select
        as_of,
        customer_id,
        horizon_days,
        days_ago,
        cast(count(*) as bigint) as n_orders,
        sum(revenue) as revenue,
        max(revenue) as largest
    from orders
    group by as_of, customer_id, horizon_days, days_ago
),

aged as (
    select
        as_of,
        customer_id,
        horizon_days,
        days_ago,
        n_orders,
        revenue,
        largest,
        cast(revenue as double) as money,
        exp(-cast(days_ago as double) / 45.0e0) as memory_45d,
        exp(-cast(days_ago as double) / 180.0e0) as memory_180d,
        days_ago > 365 - horizon_days and days_ago <= 365 as is_same_season,
        lag(days_ago) over (partition by as_of, customer_id order by days_ago desc) - days_ago as gap_days,
        row_number() over (partition by as_of, customer_id order by days_ago) as place
    from days
)

select
    as_of,
    customer_id,
    cast(sum(case when days_ago <= horizon_days then n_orders else 0 end) as bigint) as orders_last_horizon,
    cast(sum(case when days_ago <= horizon_days then revenue else 0 end) as double) as spend_last_horizon,
    cast(sum(case when days_ago > horizon_days and days_ago <= 2 * horizon_days then n_orders else 0 end) as bigint) as orders_prior_horizon,
    cast(sum(case when days_ago > horizon_days and days_ago <= 2 * horizon_days then revenue else 0 end) as double) as spend_prior_horizon,
    cast(sum(case when days_ago <= 30 then n_orders else 0 end) as bigint) as orders_last_30d,
    cast(sum(case when days_ago <= 30 then revenue else 0 end) as double) as spend_last_30d,
    cast(max(largest) as double) as largest_order_value,
    cast(count(case when days_ago <= 60 then 1 end) as bigint) as days_last_60d,
    cast(count(case when days_ago <= 180 then 1 end) as bigint) as days_last_180d,
    cast(count(case when days_ago <= 365 then 1 end) as bigint) as days_last_365d,
    cast(count(case when is_same_season then 1 end) as bigint) as days_same_season,
    cast(sum(case when is_same_season then revenue else 0 end) as double) as spend_same_season,
    sum(memory_45d) as days_fading_45d,
    sum(memory_180d) as days_fading_180d,
    sum(money * memory_45d) as spend_fading_45d,
    sum(money * memory_180d) as spend_fading_180d,
    cast(max(case when place = 1 then revenue end) as double) as spend_last_day,
    cast(max(case when place = 1 then gap_days end) as bigint) as last_gap_days,
    cast(max(case when place = 2 then gap_days end) as bigint) as second_last_gap_days,
    cast(max(gap_days) as bigint) as longest_gap_days
from aged
group by as_of, customer_id
