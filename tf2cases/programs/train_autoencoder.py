"""Trains an autoencoder that removes noise from pictures, and exports it.

python -m bin.train_autoencoder
python -m bin.train_autoencoder --dataset=mnist_sample --epochs=10
python -m bin.train_autoencoder --dataset=folder --data_dir=photos --size=64
python -m bin.train_autoencoder --recipe=original
"""

from tf2cases.configs import autoencoder
from tf2cases.programs import case_programs

define, main = case_programs.training_program(autoencoder.Config)
