-- The category behind each distinct key of a line that names none itself: its product (product table) or its description
-- (keyword rules, first rule wins). It is decided per key, never per time, so that later lines cannot change what earlier
-- ones were.
with distinct_keys as (
    select distinct category_key(product_id, description) as line_key
    from order_lines
),

keys as (
    select line_key, words_of(line_key) as words
    from distinct_keys
),

ruled as (
    select
        k.line_key,
        r.category,
        row_number() over (partition by k.line_key order by r.rule_number asc nulls last, r.keyword asc nulls last) as choice
    from keys as k
    left join category_rules as r on contains(k.words, r.keyword)
)

select k.line_key, coalesce(p.category, r.category, 'Other') as category
from keys as k
left join product_categories as p on k.line_key = p.product_id
left join ruled as r on k.line_key = r.line_key and r.choice = 1
where k.line_key is not null
