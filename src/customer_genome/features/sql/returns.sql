-- Goods brought back before the cutoff, in lines and money.
select
    c.as_of,
    l.customer_id,
    cast(count(*) as bigint) as n_returned_lines,
    -cast(sum(l.revenue) as double) as returned_value
from returned_lines as l
inner join cutoffs as c on l.ordered_on < c.as_of
group by c.as_of, l.customer_id
