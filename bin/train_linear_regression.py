"""Fits house prices by linear regression, with gradient descent written out by hand, and exports the model.

python -m bin.train_linear_regression
python -m bin.train_linear_regression --csv=houses.csv --features=size,rooms --target=price
"""

from bin import case_programs
from tf2cases.cases import LinearRegression


def main(argv=None):
    case_programs.train(LinearRegression, __doc__, argv)


if __name__ == "__main__":
    main()
