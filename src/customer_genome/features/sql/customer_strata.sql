-- What models of spend and clusters learn from, with the stratum a sample is drawn in: 1, 2, 3 to 5, 6 or more purchase days.
select
    customer_id,
    as_of,
    cast(case when n_purchase_days >= 6 then 6 when n_purchase_days >= 3 then 3 else n_purchase_days end as bigint) as stratum,
    n_purchase_days,
    mean_spend_per_day,
    recency_days,
    n_orders,
    total_spend,
    mean_order_value,
    tenure_days,
    unique_products
from customer_facts
where as_of = (select max(as_of) from cutoffs)
