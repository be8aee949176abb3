"""Trains a network that reads captchas, generated or from a folder of labelled ones, and exports it.

python -m bin.train_captcha
python -m bin.train_captcha --charset=alnum --train_count=100000
python -m bin.train_captcha --model=original --loss=binary --data_dir=captchas.tar
"""

from tf2cases.configs import captcha
from tf2cases.programs import case_programs

define, main = case_programs.training_program(captcha.Config)
