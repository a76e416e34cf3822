-- Refused rows, kept so that nothing is lost: the row as it came, and why.
select line_id + 1 as row_number, row_class as reason, customer_id, row_text as raw_row
from totals
where row_class in ('no_customer', 'bad_number', 'negative', 'no_totals', 'no_orders')
union all
select row_number, 'unreadable' as reason, null, raw_row
from unreadable_totals
