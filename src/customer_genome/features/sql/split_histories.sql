-- Purchase histories as they stood on the day of `calibration`, with what the customers who share each did from then on.
with split as (
    select
        d.customer_id,
        c.calibration_on,
        d.first_on,
        max(case when d.ordered_on < c.calibration_on then d.ordered_on end) as last_on,
        sum(case when d.ordered_on < c.calibration_on then 1 else 0 end) as n_before,
        sum(case when d.ordered_on < c.calibration_on then 0 else 1 end) as n_after
    from purchase_days as d
    inner join calibration as c on d.first_on < c.calibration_on
    group by d.customer_id, c.calibration_on, d.first_on
)

select
    cast(n_before - 1 as bigint) as frequency,
    days_between(first_on, last_on) as recency_days,
    days_between(first_on, calibration_on) - 1 as age_days,
    cast(count(*) as bigint) as n_customers,
    cast(sum(n_after) as bigint) as n_after
from split
group by n_before, first_on, last_on, calibration_on
