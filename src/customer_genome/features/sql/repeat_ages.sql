-- How many repeat purchase days fell on each day, by the age of the customer's acquisition week: days since its first day, where
-- weeks are counted from the first day of the data. All ages beyond half a year are one.
with days as (
    select
        d.ordered_on,
        days_between(d.first_on, d.ordered_on) + days_between(s.start_on, d.first_on) % 7 as age_days
    from trial_days as d
    cross join trial_share as s
    where d.ordered_on > d.first_on
)

select ordered_on, least(age_days, 182) as age_days, cast(count(*) as bigint) as n_repeats
from days
group by ordered_on, least(age_days, 182)
