-- Purchase histories as they stood at each trial's cutoff, with the purchase days that followed within its horizon: how many
-- customers share each. The cutoff of the run is a trial without a horizon.
with split as (
    select
        t.as_of,
        d.customer_id,
        d.first_on,
        max(case when d.ordered_on < t.as_of then d.ordered_on end) as last_on,
        sum(case when d.ordered_on < t.as_of then 1 else 0 end) as n_before,
        sum(case when d.ordered_on >= t.as_of and d.ordered_on < t.as_of + t.horizon_days then 1 else 0 end) as n_after
    from trial_days as d
    inner join trials as t on d.first_on < t.as_of
    group by t.as_of, d.customer_id, d.first_on
)

select
    as_of,
    cast(n_before - 1 as bigint) as frequency,
    first_on,
    last_on,
    cast(n_after as bigint) as n_after,
    cast(count(*) as bigint) as n_customers
from split
group by as_of, n_before, first_on, last_on, n_after
