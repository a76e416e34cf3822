-- Where they spend most; equal spend goes to the name that comes first.
with spend as (
    select as_of, customer_id, country, sum(revenue) as revenue
    from known_days
    group by as_of, customer_id, country
),

ranked as (
    select
        as_of, customer_id, country,
        row_number() over (partition by as_of, customer_id order by revenue desc nulls last, country asc nulls last) as place
    from spend
)

select as_of, customer_id, country as primary_country
from ranked
where place = 1
