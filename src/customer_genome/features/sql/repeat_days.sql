-- How many repeat purchase days fell on each day, of customers known on the day of `calibration`.
select d.ordered_on, cast(count(*) as bigint) as n_repeats
from purchase_days as d
inner join calibration as c on d.first_on < c.calibration_on
where d.ordered_on > d.first_on
group by d.ordered_on
