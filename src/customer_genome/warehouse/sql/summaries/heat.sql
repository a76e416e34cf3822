-- Customers and money per band of value and band of risk.
select
    clv_band,
    churn_band,
    cast(count(*) as bigint) as n,
    cast(coalesce(sum(cast(clv_180d as decimal(38, 10))), 0) as double) as clv,
    cast(coalesce(sum(cast(expected_value_loss as decimal(38, 10))), 0) as double) as expected_value_loss
from customers_to_summarise
where clv_band is not null and churn_band is not null
group by clv_band, churn_band
