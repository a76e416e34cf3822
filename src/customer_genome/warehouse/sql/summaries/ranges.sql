-- The range of every series, and how many values it has.
select series, place, cast(count(*) as bigint) as n, min(x) as low, max(x) as high
from quantile_values
group by series, place
