-- Totals per value of each text column that findings, segments and playbooks are told by.
with grouped as (
    select
        'primary_country' as kind, primary_country as name,
        total_spend, clv_180d, expected_value_loss, churn_probability, n_orders, recency_days
    from customers_to_summarise
    union all
    select
        'segment_name' as kind, segment_name as name,
        total_spend, clv_180d, expected_value_loss, churn_probability, n_orders, recency_days
    from customers_to_summarise
    union all
    select
        'rfm_segment' as kind, rfm_segment as name,
        total_spend, clv_180d, expected_value_loss, churn_probability, n_orders, recency_days
    from customers_to_summarise
    union all
    select
        'playbook' as kind, playbook as name,
        total_spend, clv_180d, expected_value_loss, churn_probability, n_orders, recency_days
    from customers_to_summarise
),

totals as (
    select
        kind,
        name,
        cast(count(*) as bigint) as customers,
        cast(coalesce(sum(cast(total_spend as decimal(38, 10))), 0) as double) as total_spend,
        cast(coalesce(sum(cast(clv_180d as decimal(38, 10))), 0) as double) as clv_180d,
        cast(coalesce(sum(cast(expected_value_loss as decimal(38, 10))), 0) as double) as expected_value_loss,
        cast(sum(cast(churn_probability as decimal(38, 18))) as double) / nullif(count(churn_probability), 0) as churn_probability,
        cast(sum(cast(n_orders as decimal(38, 10))) as double) / nullif(count(n_orders), 0) as mean_orders
    from grouped
    where name is not null
    group by kind, name
),

days as (
    select kind, name, recency_days, cast(count(*) as bigint) as n
    from grouped
    where name is not null and recency_days is not null
    group by kind, name, recency_days
),

running as (
    select
        kind,
        name,
        recency_days,
        sum(n) over (partition by kind, name order by recency_days nulls last) as n_up_to,
        sum(n) over (partition by kind, name) as n_all
    from days
),

-- The middle value, or halfway between the middle two.
middles as (
    select
        kind,
        name,
        (
            min(case when 2 * n_up_to >= n_all then recency_days end) + min(case when 2 * n_up_to > n_all then recency_days end)
        ) / 2 as median_recency_days
    from running
    group by kind, name
)

select
    t.kind,
    t.name,
    t.customers,
    t.total_spend,
    t.clv_180d,
    t.expected_value_loss,
    t.churn_probability,
    m.median_recency_days,
    t.mean_orders
from totals as t
left join middles as m on t.kind = m.kind and t.name = m.name
