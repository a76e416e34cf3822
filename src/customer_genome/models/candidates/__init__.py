"""Ways to forecast customers that a backtest compares: formulas anybody can compute, purchase models, learned models."""

from customer_genome.models.candidates.contract import Candidate as Candidate
from customer_genome.models.candidates.contract import Expected as Expected
from customer_genome.models.candidates.contract import Known as Known
from customer_genome.models.candidates.contract import Past as Past
from customer_genome.models.candidates.listed import CANDIDATES as CANDIDATES
from customer_genome.models.candidates.listed import OWN as OWN
