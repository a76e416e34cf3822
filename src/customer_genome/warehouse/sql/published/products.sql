-- What was sold: money, pieces and customers per product. Of several descriptions the most frequent one names it.
with described as (
    select
        product_id, description, sum(revenue) as revenue, count(*) as n_lines,
        row_number() over (partition by product_id order by count(*) desc, description asc nulls last) as place
    from known_lines
    where as_of = (select max(as_of) from cutoffs) and product_id is not null
    group by product_id, description
),

sold as (
    select product_id, cast(sum(revenue) as double) as revenue, cast(count(*) as bigint) as n_lines, cast(count(distinct customer_id) as bigint) as customers
    from known_lines
    where as_of = (select max(as_of) from cutoffs) and product_id is not null
    group by product_id
)

select s.product_id, d.description, published_money(s.revenue) as revenue, s.n_lines, s.customers
from sold as s
inner join described as d on s.product_id = d.product_id and d.place = 1
order by s.revenue desc, s.product_id
