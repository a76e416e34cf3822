-- The best DuckDB text we could write by hand for the whole result on one known file: every row typed and classed in a
-- warehouse file, money exact to the cent, duplicates proven, refused rows kept, returns matched to purchases, ledger and
-- customer facts. It is written for this file alone: its types are known, nothing is configurable.
-- {path} is the Parquet file. Leaves lines (on disk), quarantine, refund_effect, ledger and customer_facts.
create table lines as
with typed as (
    select
        customer_id, order_id, ordered_at, product_id, description, quantity, price::decimal(18, 4) as price,
        (quantity * price)::decimal(18, 4) as money, discount::decimal(18, 4) as discount, country, category
    from read_parquet('{path}')
)
select
    *,
    case
        when ordered_at is null then 1
        when customer_id is null then 2
        when quantity is null or price is null then 3
        when order_id[1] = 'C' and order_id[2] between '0' and '9' or quantity < 0 and price > 0 then 4
        when quantity <= 0 then 3
        when price <= 0 then 5
        else 0
    end::utinyint as class
from typed;

create temp table repeated as
with hashed as (
    select
        rowid as row_number,
        hash(customer_id, order_id, product_id, description, ordered_at, quantity, price, discount, country, category) as line_hash
    from lines
    where class in (0, 4)
),
suspects as (
    select row_number
    from hashed
    where line_hash in (select line_hash from hashed group by line_hash having count(*) > 1)
)
select rowid as row_number
from lines
where rowid in (select row_number from suspects)
qualify row_number() over (
    partition by customer_id, order_id, product_id, description, ordered_at, quantity, price, discount, country, category order by rowid
) > 1;

create temp table quarantine as
select rowid + 1 as row_number, class, customer_id, order_id, ordered_at, product_id, description, quantity, price, money, country
from lines
where class in (1, 2, 3, 5);

create temp table returned as
select rowid as row_number, customer_id, product_id, order_id, ordered_at, quantity, price, money
from lines
where class = 4 and quantity < 0 and rowid not in (select row_number from repeated);

-- goods still held after each event; a purchase keeps what is never fallen below later, a return takes as far as it falls
create temp table matches as
with events as (
    select rowid as row_number, customer_id, product_id, order_id, ordered_at, quantity, price, money, false as is_return
    from lines
    where class = 0 and rowid not in (select row_number from repeated)
    union all
    select *, true from returned
),
summed as (
    select *, sum(quantity) over w as running
    from events
    semi join returned using (customer_id, product_id)
    window w as (
        partition by customer_id, product_id order by ordered_at, is_return, order_id, quantity, money, row_number
        rows unbounded preceding
    )
),
held as (
    select *, running - least(0, min(running) over w) as held
    from summed
    window w as (
        partition by customer_id, product_id order by ordered_at, is_return, order_id, quantity, money, row_number
        rows unbounded preceding
    )
),
followed as (
    select
        *,
        lag(held, 1, 0) over w as before,
        min(held) over (w rows between current row and unbounded following) as at_least
    from held
    window w as (partition by customer_id, product_id order by ordered_at, is_return, order_id, quantity, money, row_number)
)
select
    is_return, quantity, price, money,
    case when is_return then before - held else quantity - least(quantity, greatest(0, at_least - before)) end as matched
from followed;

create temp table refund_effect as
with bought as (
    select sum(money)::double as money from lines where class = 0 and rowid not in (select row_number from repeated)
),
back as (
    select
        count(*) as returned_lines,
        -sum(money)::double as returned_value,
        count(*) filter (where matched < -quantity) as unmatched_lines,
        -sum(money::double * (1 + matched::double / quantity)) as unmatched_value
    from matches
    where is_return
),
netted as (
    select sum(case when matched = quantity then money else matched * price end)::double as money from matches where not is_return
)
select
    b.money as revenue_under_drop, b.money - n.money as revenue_under_net, k.returned_lines, k.returned_value,
    n.money as matched_value, k.unmatched_lines, k.unmatched_value
from bought as b, back as k, netted as n;

create temp table ledger as
with all_rows as (
    select class, count(*) as n_rows, sum(coalesce(money, 0)) as revenue from lines group by class
),
again as (
    select l.class, count(*) as n_rows, sum(l.money) as revenue
    from lines as l
    where l.rowid in (select row_number from repeated) and l.class = 0
    group by l.class
)
select
    case a.class when 0 then 'kept' when 1 then 'bad_date' when 2 then 'no_customer' when 3 then 'bad_quantity' when 4 then 'cancelled' else 'bad_price' end as row_class,
    a.n_rows - coalesce(b.n_rows, 0) as n_rows,
    (a.revenue - coalesce(b.revenue, 0))::double as revenue
from all_rows as a
left join again as b on a.class = b.class
union all
select 'duplicate', n_rows, revenue::double from again;

create temp table orders as
select
    customer_id, order_id, country, min(ordered_at)::date as day, count(*) as n_lines, sum(quantity) as quantity,
    sum(money)::decimal(18, 4) as money, sum(case when discount > 0 then money else 0 end)::decimal(18, 4) as discounted
from lines
where class = 0 and rowid not in (select row_number from repeated)
group by customer_id, order_id, country;

create temp table products as
select customer_id, product_id, category, sum(money)::decimal(18, 4) as money
from lines
where class = 0 and rowid not in (select row_number from repeated)
group by customer_id, product_id, category;

set variable as_of = (select max(day) + 1 from orders);

create temp table customer_facts as
with rfm as (
    select
        customer_id,
        count(*) as n_orders,
        sum(n_lines)::bigint as n_lines,
        sum(quantity)::double as total_quantity,
        sum(money)::double as total_spend,
        min(day) as first_order_on,
        max(day) as last_order_on,
        sum(discounted)::double / sum(money)::double as discount_share,
        count(*) filter (where day >= getvariable('as_of') - 90) as orders_last_90d,
        count(*) filter (where day < getvariable('as_of') - 90 and day >= getvariable('as_of') - 180) as orders_prior_90d,
        coalesce(sum(money) filter (where day >= getvariable('as_of') - 90), 0)::double as spend_last_90d,
        coalesce(sum(money) filter (where day < getvariable('as_of') - 90 and day >= getvariable('as_of') - 180), 0)::double as spend_prior_90d
    from orders
    group by customer_id
),
days as (
    select distinct customer_id, day from orders
),
gaps as (
    select customer_id, day - lag(day) over (partition by customer_id order by day) as gap from days
),
cadence as (
    select customer_id, count(*) as n_purchase_days, avg(gap) as mean_gap_days, stddev_samp(gap) / avg(gap) as gap_cv
    from gaps
    group by customer_id
),
countries as (
    select customer_id, country, sum(money)::double as money from orders group by customer_id, country
),
homes as (
    select customer_id, arg_max(country, (money, -ascii(country))) as primary_country from countries group by customer_id
),
baskets as (
    select
        customer_id,
        count(*) as unique_products,
        sum(money)::double as money,
        sum(case when category = 'Home Decor' then money else 0 end)::double as home_decor,
        sum(case when category = 'Kitchen' then money else 0 end)::double as kitchen,
        sum(case when category = 'Bags' then money else 0 end)::double as bags,
        sum(case when category = 'Toys' then money else 0 end)::double as toys,
        sum(case when category = 'Other' then money else 0 end)::double as other
    from products
    group by customer_id
),
returns as (
    select customer_id, count(*) as n_returned_lines, -sum(money)::double as returned_value from returned group by customer_id
)
select
    r.customer_id::varchar as customer_id,
    getvariable('as_of') as as_of,
    r.n_orders, r.n_lines, r.total_quantity, r.total_spend,
    r.total_spend / r.n_orders as mean_order_value,
    r.first_order_on, r.last_order_on,
    getvariable('as_of') - r.last_order_on as recency_days,
    getvariable('as_of') - r.first_order_on as tenure_days,
    r.last_order_on - r.first_order_on as activity_days,
    c.n_purchase_days,
    r.total_spend / c.n_purchase_days as mean_spend_per_day,
    c.mean_gap_days, c.gap_cv,
    b.unique_products,
    r.n_lines / r.n_orders as mean_lines_per_order,
    h.primary_country,
    coalesce(x.n_returned_lines, 0) as n_returned_lines,
    coalesce(x.returned_value, 0) as returned_value,
    coalesce(x.returned_value, 0) / (coalesce(x.returned_value, 0) + r.total_spend) as return_share,
    r.orders_last_90d, r.orders_prior_90d, r.spend_last_90d, r.spend_prior_90d,
    (r.spend_last_90d - r.spend_prior_90d) / nullif(r.spend_last_90d + r.spend_prior_90d, 0) as spend_trend,
    r.discount_share,
    b.home_decor / b.money as category_share_home_decor,
    b.kitchen / b.money as category_share_kitchen,
    b.bags / b.money as category_share_bags,
    b.toys / b.money as category_share_toys,
    b.other / b.money as category_share_other
from rfm as r
inner join cadence as c on r.customer_id = c.customer_id
inner join homes as h on r.customer_id = h.customer_id
inner join baskets as b on r.customer_id = b.customer_id
left join returns as x on r.customer_id = x.customer_id;
