-- Split orders, cut by day and country.
select
    l.customer_id,
    l.order_id,
    l.ordered_on,
    l.country,
    min(l.ordered_at) as ordered_at,
    count(*) as n_lines,
    sum(l.quantity) as quantity,
    sum(l.revenue) as revenue,
    sum(case when l.discount > 0 then l.revenue else 0 end) as discounted_revenue,
    sum(l.discount) as discount
from order_lines as l
inner join split_orders as o on l.customer_id = o.customer_id and l.order_id = o.order_id
group by l.customer_id, l.order_id, l.ordered_on, l.country
