-- Every purchase of what came back for the first time: found by two columns, so that the others are read for these lines only.
select l.line_id
from (
    select l.rowid as line_id
    from lines as l
    inner join newly_returned as n on l.customer_id = n.customer_id and l.product_id = n.product_id
    where l.row_class = 'kept'
) as l
left join repeated_lines as r on l.line_id = r.line_id
where r.line_id is null
