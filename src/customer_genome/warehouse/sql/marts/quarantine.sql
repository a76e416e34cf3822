-- Refused rows, kept so that nothing is lost: what could be read, the row as it came where it could not, and why.
select line_id + 1 as row_number, row_class as reason, customer_id, order_id, ordered_at, product_id, description, quantity, price, revenue, country, raw_row
from numbered_lines
where row_class in ('bad_date', 'no_customer', 'bad_quantity', 'bad_price', 'bad_rating')
union all
select row_number, 'unreadable' as reason, null, null, null, null, null, null, null, null, null, raw_row
from unreadable_lines
