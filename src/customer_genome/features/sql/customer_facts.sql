-- One row per customer and cutoff: every theme side by side.
select
    r.customer_id,
    r.as_of,
    r.n_orders,
    r.n_lines,
    r.total_quantity,
    r.total_spend,
    r.mean_order_value,
    r.first_order_on,
    r.last_order_on,
    r.recency_days,
    r.tenure_days,
    r.activity_days,
    c.n_purchase_days,
    c.mean_spend_per_day,
    c.mean_gap_days,
    c.gap_cv,
    b.unique_products,
    cast(r.n_lines as double) / r.n_orders as mean_lines_per_order,
    g.primary_country,
    coalesce(x.n_returned_lines, 0) as n_returned_lines,
    coalesce(x.returned_value, 0.0) as returned_value,
    coalesce(x.returned_value, 0.0) / nullif(coalesce(x.returned_value, 0.0) + r.total_spend, 0) as return_share,
    t.orders_last_90d,
    t.orders_prior_90d,
    t.spend_last_90d,
    t.spend_prior_90d,
    t.spend_trend,
    p.discount_share
from rfm as r
inner join cadence as c on r.as_of = c.as_of and r.customer_id = c.customer_id
inner join basket as b on r.as_of = b.as_of and r.customer_id = b.customer_id
inner join geography as g on r.as_of = g.as_of and r.customer_id = g.customer_id
inner join trend as t on r.as_of = t.as_of and r.customer_id = t.customer_id
inner join promotion as p on r.as_of = p.as_of and r.customer_id = p.customer_id
left join returns as x on r.as_of = x.as_of and r.customer_id = x.customer_id
