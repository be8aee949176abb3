"""Quality of generated pictures: distances between sets of pictures, and the features they are computed from."""
