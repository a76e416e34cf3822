-- Known lines with the category their key stands for; lines without a key are Other.
select l.as_of, l.customer_id, coalesce(c.category, 'Other') as category, l.revenue
from known_lines as l
left join line_categories as c on category_key(l.product_id, l.description) = c.line_key
