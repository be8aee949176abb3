"""Trains a DCGAN on digits or faces, draws a montage of the same 100 latents during training, and exports it.

python -m bin.train_dcgan --dataset=celeba
python -m bin.train_dcgan --dataset=toy_faces --steps=2000
python -m bin.train_dcgan --dataset=mnist_sample --steps=300 --sample_every=50
python -m bin.train_dcgan --dataset=folder --data_dir=photos --size=64
"""

from tf2cases.configs import dcgan
from tf2cases.programs import case_programs

define, main = case_programs.training_program(dcgan.Config)
