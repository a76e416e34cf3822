-- Where the values of every search lie: customers, lowest and highest value in each of the equal bins of its range.
select
    s.search,
    v.place,
    cast(floor((v.x - s.low) * s.bins_per_unit) as bigint) as bin,
    cast(count(*) as bigint) as n,
    min(v.x) as low,
    max(v.x) as high
from quantile_values as v
inner join quantile_searches as s on v.series = s.series and v.place = s.place
where v.x >= s.low and v.x <= s.high
group by s.search, v.place, cast(floor((v.x - s.low) * s.bins_per_unit) as bigint)
