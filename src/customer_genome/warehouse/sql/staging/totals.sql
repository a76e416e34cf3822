-- Every row of a table of customers with totals: the third of orders, spend and order value worked out, and its class.
with worked_out as (
    select
        *,
        floor(coalesce(given_orders, given_spend / nullif(given_value, 0)) + 0.5e0) as orders_so_far,
        coalesce(given_spend, given_orders * given_value) as spend_so_far,
        row_number() over (partition by row_text order by line_id) as copy_number
    from source_totals
)

select
    line_id,
    customer_id,
    given_orders,
    given_spend,
    given_value,
    orders_so_far as n_orders,
    spend_so_far as total_spend,
    case when orders_so_far > 0 then spend_so_far / orders_so_far else given_value end as mean_order_value,
    total_quantity,
    floor(recency_days) as recency_days,
    floor(unique_products) as unique_products,
    country,
    cluster,
    churn_label,
    spend_label,
    row_text,
    case
        when is_erased then 'forgotten'
        when customer_id is null then 'no_customer'
        when is_unreadable then 'bad_number'
        when is_negative then 'negative'
        when needs_totals() and (orders_so_far is null or spend_so_far is null) then 'no_totals'
        when needs_totals() and orders_so_far < 1 then 'no_orders'
        when copy_number > 1 then 'duplicate'
        else 'kept'
    end as row_class
from worked_out
