-- How many customers there are, and the horizon of their predictions.
select cast(count(*) as bigint) as n, max(horizon_days) as horizon_days
from customers_to_summarise
