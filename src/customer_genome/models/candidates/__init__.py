"""Ways to forecast customers that a backtest compares: formulas anybody can compute, purchase models, learned models."""

from customer_genome.models.candidates.champion import CANDIDATES as CANDIDATES
from customer_genome.models.candidates.champion import CHAMPION as CHAMPION
from customer_genome.models.candidates.champion import choose_champion as choose_champion
from customer_genome.models.candidates.contract import Candidate as Candidate
from customer_genome.models.candidates.contract import Contributions as Contributions
from customer_genome.models.candidates.contract import Expected as Expected
from customer_genome.models.candidates.contract import Fitted as Fitted
from customer_genome.models.candidates.contract import Known as Known
from customer_genome.models.candidates.contract import Past as Past
from customer_genome.models.candidates.forecaster import Champion as Champion
from customer_genome.models.candidates.listed import OWN as OWN
from customer_genome.models.candidates.listed import SHIPPED as SHIPPED
