-- Totals per day, country and segment: what every chart over time is drawn from. Customers count once per day and row.
select
    k.ordered_on,
    k.country,
    p.segment_name,
    cast(count(distinct k.customer_id) as bigint) as customers,
    cast(count(*) as bigint) as orders,
    cast(sum(k.n_lines) as bigint) as n_lines,
    published_money(cast(sum(k.revenue) as double)) as revenue
from known_days as k
inner join predictions as p on k.customer_id = p.customer_id
where k.as_of = (select max(as_of) from cutoffs)
group by k.ordered_on, k.country, p.segment_name
order by k.ordered_on, k.country, p.segment_name
