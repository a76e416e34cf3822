-- Lists of items: up to so many per customer and view, best first, each with its reason.
select customer_id, view, rank, product_id, description, score, reason, is_cold
from recommendations
where view <> 'with'
order by customer_id, view, rank
