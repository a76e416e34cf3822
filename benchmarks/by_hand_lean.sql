-- The least that DuckDB can do for one known file: ledger and customer facts and nothing else. It knows the types of
-- this file, trusts a 64-bit hash for duplicates, adds money as double, keeps no row on disk, matches no returns.
-- {path} is the Parquet file. Leaves the tables ledger and customer_facts.
create temp table lines as
select
    customer_id, order_id, ordered_at, product_id, quantity, quantity * price as money, discount, country, category,
    hash(customer_id, order_id, product_id, description, ordered_at, quantity, price, discount, country, category) as line_hash,
    case
        when ordered_at is null then 1
        when customer_id is null then 2
        when quantity is null or price is null then 3
        when order_id[1] = 'C' and order_id[2] between '0' and '9' or quantity < 0 and price > 0 then 4
        when quantity <= 0 then 3
        when price <= 0 then 5
        else 0
    end::utinyint as class
from read_parquet('{path}');

create temp table repeated as
with shared as (
    select line_hash, min(rowid) as first_row
    from lines
    where class in (0, 4)
    group by line_hash
    having count(*) > 1
)
select l.rowid as row_number
from lines as l
inner join shared as s on l.line_hash = s.line_hash and l.rowid <> s.first_row
where l.class in (0, 4);

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
    a.revenue - coalesce(b.revenue, 0) as revenue
from all_rows as a
left join again as b on a.class = b.class
union all
select 'duplicate', n_rows, revenue from again;

create temp table orders as
select
    customer_id, order_id, country, min(ordered_at)::date as day, count(*) as n_lines, sum(quantity) as quantity, sum(money) as money,
    sum(case when discount > 0 then money else 0 end) as discounted
from lines
where class = 0 and rowid not in (select row_number from repeated)
group by customer_id, order_id, country;

create temp table products as
select customer_id, product_id, category, sum(money) as money
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
        sum(money) as total_spend,
        min(day) as first_order_on,
        max(day) as last_order_on,
        sum(discounted) / sum(money) as discount_share,
        count(*) filter (where day >= getvariable('as_of') - 90) as orders_last_90d,
        count(*) filter (where day < getvariable('as_of') - 90 and day >= getvariable('as_of') - 180) as orders_prior_90d,
        coalesce(sum(money) filter (where day >= getvariable('as_of') - 90), 0) as spend_last_90d,
        coalesce(sum(money) filter (where day < getvariable('as_of') - 90 and day >= getvariable('as_of') - 180), 0) as spend_prior_90d
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
    select customer_id, country, sum(money) as money from orders group by customer_id, country
),
homes as (
    select customer_id, arg_max(country, (money, -ascii(country))) as primary_country from countries group by customer_id
),
baskets as (
    select
        customer_id,
        count(*) as unique_products,
        sum(money) as money,
        sum(case when category = 'Home Decor' then money else 0 end) as home_decor,
        sum(case when category = 'Kitchen' then money else 0 end) as kitchen,
        sum(case when category = 'Bags' then money else 0 end) as bags,
        sum(case when category = 'Toys' then money else 0 end) as toys,
        sum(case when category = 'Other' then money else 0 end) as other
    from products
    group by customer_id
),
returns as (
    select customer_id, count(*) as n_returned_lines, -sum(money) as returned_value
    from lines
    where class = 4 and quantity < 0 and rowid not in (select row_number from repeated)
    group by customer_id
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
