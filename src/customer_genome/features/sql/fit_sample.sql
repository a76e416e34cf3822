-- Per stratum the customers whose digest lies below its mark: the same ones on every engine, in every order, every day.
select c.*
from customer_strata as c
inner join fit_strata as s on c.stratum = s.stratum
where left(digest(c.customer_id), 8) < s.digest_below
