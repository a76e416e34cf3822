-- Breadth of what was bought.
select as_of, customer_id, cast(count(distinct product_id) as bigint) as unique_products
from known_lines
group by as_of, customer_id
