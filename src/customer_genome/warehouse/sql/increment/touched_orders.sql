-- Orders that got new lines, with the row of their totals where they have one.
select f.customer_id, f.order_id, o.rowid as place
from (select distinct customer_id, order_id from fresh_order_days) as f
left join order_totals as o on f.customer_id = o.customer_id and f.order_id = o.order_id
