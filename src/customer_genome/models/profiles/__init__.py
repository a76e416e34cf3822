"""Learning from customer tables that carry a label: churn as yes or no, next spend as money."""

from customer_genome.models.profiles.columns import Column as Column
from customer_genome.models.profiles.comparing import Compared as Compared
from customer_genome.models.profiles.comparing import compare as compare
from customer_genome.models.profiles.leaks import Alarm as Alarm
from customer_genome.models.profiles.leaks import alarms as alarms
from customer_genome.models.profiles.model import LabelModel as LabelModel
