-- Purchases reduced by later returns under policy `net`; empty under policy `drop`. `revenue` is what the line was before.
select as_of, line_id, matched_quantity as quantity, refunded_money as money, matched_quantity = quantity as is_whole, revenue
from return_matches
where is_return = 0 and matched_quantity > 0 and nets_refunds()
