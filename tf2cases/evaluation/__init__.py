"""How good generated pictures are: distances between picture sets, and the features they are computed from."""
