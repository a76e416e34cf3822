-- The first refused rows of each class; all of them stay in the warehouse (`genome export --table quarantine`).
select row_number, reason, order_id, ordered_at, product_id, description, quantity, price, revenue, country, raw_row
from (select *, row_number() over (partition by reason order by row_number) as place from quarantine) as numbered
where place <= 200
order by reason, row_number
