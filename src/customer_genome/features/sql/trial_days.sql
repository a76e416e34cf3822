-- The purchase days that a choice among models looks at: those of every customer, or of a share drawn by digest where they are many.
select d.customer_id, d.ordered_on, d.first_on
from purchase_days as d
inner join trial_share as s on left(digest(d.customer_id), 8) < s.digest_below
