-- Where every input row went: rows and money per class, adding up to the input.
with entries as (
    select row_class, count(*) as n_rows, sum(coalesce(cast(total_spend as decimal(38, 4)), 0)) as revenue
    from totals
    group by row_class
    union all
    select 'unreadable' as row_class, count(*) as n_rows, cast(0 as decimal(38, 4)) as revenue
    from unreadable_totals
)

select row_class, cast(sum(n_rows) as bigint) as n_rows, cast(sum(revenue) as decimal(38, 4)) as revenue
from entries
group by row_class
having sum(n_rows) > 0
order by row_class
