"""Fits house prices by linear regression, with gradient descent written out by hand, and exports the model.

python -m bin.train_linear_regression
python -m bin.train_linear_regression --csv=houses.csv --features=size,rooms --target=price
"""

from tf2cases.cases import LinearRegression
from tf2cases.programs import case_programs


def main(argv=None):
    case_programs.train(LinearRegression, __doc__, argv)
