"""Retrains the last layer of Inception-v3 on pictures of one's own, and exports it.

    python -m bin.retrain --data_dir=flowers
    python -m bin.retrain --data_dir=flowers --weights=keras --distort --fine_tune=2 --steps=500
    python -m bin.classify_image --model=exports/transfer photo.jpg

The sub-folders of DATA_DIR are the classes. A hash of its name puts each picture among those for training (80 %),
validation or testing (10 % each), where it stays when others are added. The features are computed once and kept in
CACHE_DIR, so that an interrupted run, or one with more pictures, goes on where the last one was. At the end come the
accuracies beside chance, and under WORKDIR/pictures the confusion matrix and the test pictures that were taken for
something else.
"""

from tf2cases.cases import Transfer
from tf2cases.programs import case_programs


def main(argv=None):
    case_programs.train(Transfer, __doc__, argv)
