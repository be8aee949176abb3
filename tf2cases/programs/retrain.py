"""Retrains the last layer of Inception-v3 on pictures of your own classes, and exports it.

    python -m bin.retrain --data_dir=flowers
    python -m bin.retrain --data_dir=flowers --weights=keras --distort --fine_tune=2 --steps=500
    python -m bin.classify_image --model=exports/retrain photo.jpg

Each sub-folder of DATA_DIR is a class. A hash of its file name assigns each picture to training (80 %), validation or
testing (10 % each), so a picture stays in its split when others are added. Features are computed once and cached in
CACHE_DIR; a run that resumes, or has more pictures, computes only the missing ones. At the end the program prints the
accuracies next to chance level; WORKDIR/pictures has the confusion matrix and the misclassified test pictures.
"""

from tf2cases.configs import retrain
from tf2cases.programs import case_programs

define, main = case_programs.training_program(retrain.Config)
