"""Trains a variational autoencoder on digits or clothes, draws its latent plane, and exports it.

python -m bin.train_vae --dataset=mnist_sample --epochs=200
python -m bin.train_vae --data_dir=data --recipe=best --iwae=100
"""

from tf2cases.configs import vae
from tf2cases.programs import case_programs

define, main = case_programs.training_program(vae.Config)
