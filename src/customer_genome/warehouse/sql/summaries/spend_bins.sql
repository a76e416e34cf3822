-- Customers by spend to 4 significant digits, lowest first. Built on whole ten-thousandths, so that engines agree on every limit.
with scaled as (
    select
        total_spend,
        case when total_spend < 0 then -1 else 1 end as side,
        cast(floor(least(abs(total_spend), 9.0e14) * 1.0e4 + 0.5e0) as bigint) as size
    from customers_to_summarise
    where total_spend is not null
),

stepped as (
    select
        total_spend,
        side,
        size,
        case
            when size < 10000 then cast(1 as bigint)
            when size < 100000 then 10
            when size < 1000000 then 100
            when size < 10000000 then 1000
            when size < 100000000 then 10000
            when size < 1000000000 then 100000
            when size < 10000000000 then 1000000
            when size < 100000000000 then 10000000
            when size < 1000000000000 then 100000000
            when size < 10000000000000 then 1000000000
            when size < 100000000000000 then 10000000000
            when size < 1000000000000000 then 100000000000
            when size < 10000000000000000 then 1000000000000
            when size < 100000000000000000 then 10000000000000
            when size < 1000000000000000000 then 100000000000000
            else 1000000000000000
        end as step
    from scaled
)

select
    side * (size - size % step) as spend_bin,
    cast(count(*) as bigint) as n,
    cast(sum(cast(total_spend as decimal(38, 10))) as double) as spend
from stepped
group by side * (size - size % step)
order by spend_bin nulls last
