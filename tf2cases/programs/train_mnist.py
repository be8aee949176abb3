"""Trains a classifier of handwritten digits, evaluates it, and exports it.

python -m bin.train_mnist --dataset=mnist_sample --epochs=20
python -m bin.train_mnist --data_dir=data --model=cnn --recipe=best
"""

from tf2cases.configs import mnist
from tf2cases.programs import case_programs

define, main = case_programs.training_program(mnist.Config)
