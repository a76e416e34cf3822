-- Where every input row went: rows and signed money per class, adding up to the input. Rows are added up by the class they
-- were read with; the few kept ones that turned out to be copies or were wholly taken back change sides.
with entries as (
    select row_class, count(*) as n_rows, sum(revenue) as revenue
    from lines
    group by row_class
    union all
    select 'kept' as row_class, -count(*) as n_rows, -sum(revenue) as revenue
    from repeated_lines
    where row_class = 'kept'
    union all
    select 'duplicate' as row_class, count(*) as n_rows, sum(revenue) as revenue
    from repeated_lines
    where row_class = 'kept'
    union all
    select 'kept' as row_class, -count(*) as n_rows, -sum(revenue) as revenue
    from refunds_now
    where is_whole
    union all
    select 'refunded' as row_class, count(*) as n_rows, sum(revenue) as revenue
    from refunds_now
    where is_whole
    union all
    select 'unreadable' as row_class, count(*) as n_rows, cast(0 as decimal(18, 4)) as revenue
    from unreadable_lines
)

select row_class, cast(sum(n_rows) as bigint) as n_rows, cast(coalesce(sum(revenue), 0) as decimal(38, 4)) as revenue
from entries
group by row_class
having sum(n_rows) > 0
order by row_class
