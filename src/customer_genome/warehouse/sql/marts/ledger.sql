-- Where every input row went: rows and signed money per class, adding up to the input.
with classes as (
    select
        case
            when l.row_class = 'kept' and d.line_id is not null then 'duplicate'
            when l.row_class = 'kept' and r.is_whole then 'refunded'
            else l.row_class
        end as row_class,
        coalesce(l.revenue, 0) as revenue
    from numbered_lines as l
    left join repeated_lines as d on l.line_id = d.line_id
    left join refunds_now as r on l.line_id = r.line_id
    union all
    select 'unreadable' as row_class, 0 as revenue
    from unreadable_lines
)

select row_class, count(*) as n_rows, cast(sum(revenue) as decimal(38, 4)) as revenue
from classes
group by row_class
order by row_class
