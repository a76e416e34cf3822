-- What the customers won in each month have brought, in all and within 365 days of their first purchase.
with customers as (
    select customer_id, as_of, first_order_on, cast(date_trunc('month', first_order_on) as date) as cohort
    from customer_facts
    where as_of = (select max(as_of) from cutoffs)
)

select
    c.cohort,
    cast(count(distinct c.customer_id) as bigint) as customers,
    cast(sum(o.revenue) as double) as spend_so_far,
    cast(sum(case when days_between(c.first_order_on, o.ordered_on) < 365 then o.revenue else 0 end) as double) as first_year_known
from customers as c
inner join known_orders as o on c.as_of = o.as_of and c.customer_id = o.customer_id
group by c.cohort
