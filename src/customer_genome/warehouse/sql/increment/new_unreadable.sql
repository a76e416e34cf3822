-- Rows that could not be read and are not held yet: of a text that comes d times and is held s times the copies above s.
with ranked as (
    select *, row_number() over (partition by row_digest order by row_number) as copy_number
    from delivered_unreadable
),

stored as (
    select row_digest, count(*) as n_stored
    from unreadable_lines
    group by row_digest
)

select r.row_number, r.reason, r.raw_row, r.row_digest
from ranked as r
left join stored as s on r.row_digest = s.row_digest
where r.copy_number > coalesce(s.n_stored, 0)
