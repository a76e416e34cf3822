-- Rhythm of purchase days: how many, how far apart, how regular. The variation of gaps needs two gaps.
with days as (
    select as_of, customer_id, ordered_on, sum(revenue) as revenue
    from known_orders
    group by as_of, customer_id, ordered_on
),

gaps as (
    select
        as_of,
        customer_id,
        revenue,
        days_between(lag(ordered_on) over (partition by as_of, customer_id order by ordered_on), ordered_on) as gap_days
    from days
)

select
    as_of,
    customer_id,
    cast(count(*) as bigint) as n_purchase_days,
    cast(sum(revenue) as double) / count(*) as mean_spend_per_day,
    cast(sum(gap_days) as double) / nullif(count(gap_days), 0) as mean_gap_days,
    stddev_samp(cast(gap_days as double)) * count(gap_days) / nullif(cast(sum(gap_days) as double), 0) as gap_cv
from gaps
group by as_of, customer_id
