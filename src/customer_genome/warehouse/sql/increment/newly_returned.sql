-- Customers and products of which something came back for the first time.
select distinct f.customer_id, f.product_id
from fresh_returned_lines as f
left join (select distinct customer_id, product_id from return_events) as e
    on f.customer_id = e.customer_id and f.product_id = e.product_id
where f.product_id is not null and e.product_id is null
