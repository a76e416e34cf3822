-- Counts and sums per cluster. Sums of decimals do not depend on the order in which rows are added.
select
    cluster_kmeans,
    cast(count(*) as bigint) as n_customers,
    cast(count(total_spend) as bigint) as total_spend_known,
    cast(sum(cast(total_spend as decimal(38, 10))) as double) as total_spend_sum,
    cast(count(churn_probability) as bigint) as churn_probability_known,
    cast(sum(cast(churn_probability as decimal(38, 18))) as double) as churn_probability_sum,
    cast(count(n_orders) as bigint) as n_orders_known,
    cast(sum(cast(n_orders as decimal(38, 10))) as double) as n_orders_sum,
    cast(count(discount_share) as bigint) as discount_share_known,
    cast(sum(cast(discount_share as decimal(38, 18))) as double) as discount_share_sum,
    cast(count(spend_last_90d) as bigint) as spend_last_90d_known,
    cast(sum(cast(spend_last_90d as decimal(38, 10))) as double) as spend_last_90d_sum,
    cast(count(spend_prior_90d) as bigint) as spend_prior_90d_known,
    cast(sum(cast(spend_prior_90d as decimal(38, 10))) as double) as spend_prior_90d_sum
from customers_to_summarise
group by cluster_kmeans
