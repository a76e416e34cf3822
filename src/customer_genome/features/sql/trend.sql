-- The last 90 days against the 90 before: trend is -1 (all before) to 1 (all lately), null without spend in either.
with windows as (
    select
        as_of,
        customer_id,
        sum(case when days_between(ordered_on, as_of) <= 90 then 1 else 0 end) as orders_last,
        sum(case when days_between(ordered_on, as_of) <= 90 then revenue else 0 end) as spend_last,
        sum(case when days_between(ordered_on, as_of) > 90 and days_between(ordered_on, as_of) <= 180 then 1 else 0 end) as orders_prior,
        sum(case when days_between(ordered_on, as_of) > 90 and days_between(ordered_on, as_of) <= 180 then revenue else 0 end) as spend_prior
    from known_orders
    group by as_of, customer_id
)

select
    as_of,
    customer_id,
    cast(orders_last as bigint) as orders_last_90d,
    cast(orders_prior as bigint) as orders_prior_90d,
    cast(spend_last as double) as spend_last_90d,
    cast(spend_prior as double) as spend_prior_90d,
    cast(spend_last - spend_prior as double) / nullif(cast(spend_last + spend_prior as double), 0) as spend_trend
from windows
