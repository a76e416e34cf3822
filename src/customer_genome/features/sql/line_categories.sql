-- The category of each distinct product text: the line's own, else the product table's, else the first keyword rule with
-- a word in the description, else Other. Decided per text, never per time, so that later lines cannot change earlier ones.
with products_seen as (
    select distinct product_id, description, category
    from order_lines
),

described as (
    select s.product_id, s.description, s.category, p.category as product_category, words_of(coalesce(s.description, p.description)) as words
    from products_seen as s
    left join product_table as p on s.product_id = p.product_id
),

ruled as (
    select
        d.product_id, d.description, d.category, d.product_category, r.category as rule_category,
        row_number() over (partition by d.product_id, d.description, d.category order by r.rule_number asc nulls last, r.keyword) as choice
    from described as d
    left join category_rules as r on contains(d.words, r.keyword)
)

select product_id, description, category as line_category, coalesce(category, product_category, rule_category, 'Other') as category
from ruled
where choice = 1
