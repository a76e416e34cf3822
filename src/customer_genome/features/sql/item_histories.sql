-- What each customer had bought as each cutoff knew it: one row per customer, with the country of the first order. A code is the
-- place of an item times 100000 plus the day since 1970-01-01, each item and day once, in no order; none for a customer of whom no item is known.
with firsts as (
    select
        c.as_of,
        l.customer_id,
        l.country,
        row_number() over (partition by c.as_of, l.customer_id order by l.ordered_at asc, l.line_id asc) as place
    from order_lines as l
    inner join cutoffs as c on l.ordered_on < c.as_of
),

bought as (
    select
        i.as_of,
        i.customer_id,
        max(i.ordered_on) as last_on,
        array_agg(cast(p.place as bigint) * 100000 + cast(days_between(date '1970-01-01', i.ordered_on) as bigint)) as codes
    from interactions as i
    inner join item_places as p on i.item = p.item
    group by i.as_of, i.customer_id
)

select f.as_of, f.customer_id, f.country, b.last_on, b.codes
from firsts as f
left join bought as b on f.as_of = b.as_of and f.customer_id = b.customer_id
where f.place = 1
