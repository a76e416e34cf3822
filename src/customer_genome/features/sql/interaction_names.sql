-- What each item is called: of several descriptions the most frequent one, of equally frequent ones the first.
with described as (
    select
        recommended_item(l.product_id, l.description, l.category, p.item) as item,
        coalesce(l.description, p.description) as description
    from order_lines as l
    left join recommended_products as p on l.product_id = p.product_id
    where l.ordered_on < (select max(as_of) from cutoffs)
),

counted as (
    select
        item, description,
        row_number() over (partition by item order by count(*) desc, description asc nulls last) as place
    from described
    where item is not null and description is not null
    group by item, description
)

select item, description
from counted
where place = 1
