-- Stored lines that may equal a delivered one: same customer, same time, or both without a usable time. The bounds of time
-- come first, because rows stand nearly in the order of their time and whole blocks are passed over by them.
with times as (
    select distinct customer_id, ordered_at
    from delivered
    where row_class not in ('bad_date', 'forgotten')
)

select l.rowid as line_id
from lines as l
inner join times as t on l.ordered_at = t.ordered_at and l.customer_id is not distinct from t.customer_id
where
    l.ordered_at between earliest_delivered() and latest_delivered()
    and l.row_class not in ('bad_date', 'forgotten')
union all
select l.rowid as line_id
from lines as l
where l.row_class in ('bad_date', 'forgotten') and l.row_class in (select row_class from delivered)
