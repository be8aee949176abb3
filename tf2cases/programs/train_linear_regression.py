"""Fits house prices by linear regression with hand-written gradient descent, and exports the model.

python -m bin.train_linear_regression
python -m bin.train_linear_regression --csv=houses.csv --features=size,rooms --target=price
"""

from tf2cases.configs import linear_regression
from tf2cases.programs import case_programs

define, main = case_programs.training_program(linear_regression.Config)
