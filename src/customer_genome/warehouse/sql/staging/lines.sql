-- Every input row once, typed, with its class; the first matching class wins. Duplicates and wholly refunded
-- purchases are found later, because they need more than the row itself.
-- Reads `source_lines`: contract columns, already typed, null where the text could not be read.
with source as (
    select
        customer_id, ordered_at, product_id, description, quantity, price, money, discount, country, category,
        currency, status, raw_row,
        coalesce(order_id, time_text(ordered_at)) as order_id,
        is_cancelled_order(order_id) or is_cancelled_status(status) as is_marked_cancelled
    from source_lines
),

classified as (
    select
        *,
        case
            when is_forgotten(customer_id) then 'forgotten'
            when ordered_at is null or ordered_at < earliest_time() or ordered_at >= latest_time() then 'bad_date'
            when customer_id is null then 'no_customer'
            when quantity is null then 'bad_quantity'
            when money is null then unread_money()
            when is_marked_cancelled or (quantity < 0 and money < 0) then 'cancelled'
            when quantity <= 0 then 'bad_quantity'
            when money <= 0 then 'bad_price'
            when is_not_merchandise(product_id, description) then 'not_merchandise'
            else 'kept'
        end as row_class
    from source
)

select
    case when row_class <> 'forgotten' then customer_id end as customer_id,
    case when row_class <> 'forgotten' then order_id end as order_id,
    case when row_class <> 'forgotten' then ordered_at end as ordered_at,
    case when row_class <> 'forgotten' then product_id end as product_id,
    case when row_class <> 'forgotten' then description end as description,
    quantity,
    price,
    money as revenue,
    discount,
    coalesce(country_name(country), 'Unknown') as country,
    category,
    currency,
    status,
    row_class,
    case when row_class in ('bad_date', 'bad_quantity', 'bad_price', 'bad_rating') then row_json(raw_row) end as raw_row
from classified
