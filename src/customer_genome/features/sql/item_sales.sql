-- How each item sold as each cutoff knew it: the customers who bought it in the last 30 days, and the last day.
select
    as_of,
    item,
    count(distinct case when days_between(ordered_on, as_of) <= 30 then customer_id end) as n_buyers_lately,
    max(ordered_on) as last_on
from interactions
group by as_of, item
