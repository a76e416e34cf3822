-- What each return takes off which earlier purchase of the same customer and product, newest purchase first, as each
-- cutoff knew it; ties are broken by content, so that it does not matter which line came in first. No loop: with S the
-- running sum of signed quantities, the goods still held are b = S - min(0, S so far); a purchase keeps what b never falls
-- below afterwards, a return is matched as far as b falls.
with known as (
    select
        c.as_of, e.line_id, e.customer_id, e.order_id, e.product_id, e.ordered_at, e.quantity, e.price, e.revenue, e.is_return,
        row_number() over (
            partition by c.as_of, e.customer_id, e.product_id
            order by
                e.ordered_at, e.is_return, e.order_id, e.quantity, e.revenue, e.price nulls last, e.country nulls last,
                e.discount nulls last, e.category nulls last, e.description nulls last, e.line_id
        ) as place
    from return_events as e
    inner join cutoffs as c on e.ordered_at < c.as_of
),

summed as (
    select
        *,
        sum(quantity) over (
            partition by as_of, customer_id, product_id
            order by place
            rows between unbounded preceding and current row
        ) as running_quantity
    from known
),

held as (
    select
        *,
        running_quantity - least(
            0,
            min(running_quantity) over (
                partition by as_of, customer_id, product_id
                order by place
                rows between unbounded preceding and current row
            )
        ) as held_quantity
    from summed
),

followed as (
    select
        *,
        coalesce(
            lag(held_quantity) over (
                partition by as_of, customer_id, product_id
                order by place
            ),
            0
        ) as held_before,
        min(held_quantity) over (
            partition by as_of, customer_id, product_id
            order by place
            rows between current row and unbounded following
        ) as held_at_least
    from held
),

matched as (
    select
        as_of, line_id, customer_id, order_id, product_id, ordered_at, quantity, price, revenue, is_return,
        case
            when is_return = 1 then held_before - held_quantity
            else quantity - least(quantity, greatest(0, held_at_least - held_before))
        end as matched_quantity
    from followed
)

select
    as_of,
    line_id,
    customer_id,
    order_id,
    product_id,
    ordered_at,
    is_return,
    cast(quantity as decimal(18, 4)) as quantity,
    cast(matched_quantity as decimal(18, 4)) as matched_quantity,
    revenue,
    cast(
        case
            when is_return = 1 then cast(0 as decimal(18, 4))
            when matched_quantity = quantity then revenue
            when abs(cast(price as double) * cast(quantity as double) - cast(revenue as double)) < 5e-5 then cast(matched_quantity as decimal(18, 4)) * price
            else number_from_double(cast(revenue as double) * cast(matched_quantity as double) / cast(quantity as double))
        end as decimal(18, 4)
    ) as refunded_money
from matched
