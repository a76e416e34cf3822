-- Goods a customer brought back before the cutoff, by day, for their timeline.
select
    l.customer_id,
    l.ordered_on as returned_on,
    cast(count(*) as bigint) as n_lines,
    -cast(sum(l.revenue) as double) as money
from returned_lines as l
inner join cutoffs as c on l.ordered_on < c.as_of
where c.as_of = (select max(as_of) from cutoffs)
group by l.customer_id, l.ordered_on
order by l.customer_id, l.ordered_on
