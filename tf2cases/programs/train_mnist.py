"""Trains a classifier of handwritten digits, shows how good it is, and exports it.

python -m bin.train_mnist --dataset=mnist_sample --epochs=20
python -m bin.train_mnist --data_dir=data --model=cnn --recipe=best
"""

from tf2cases.cases import MNIST
from tf2cases.programs import case_programs


def main(argv=None):
    case_programs.train(MNIST, __doc__, argv)
