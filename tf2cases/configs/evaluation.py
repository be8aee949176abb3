"""The options of GAN evaluation."""

# Feature nets by name; auto selects one that fits the pictures.
FEATURES = ("auto", "digits", "random_conv", "inception")

# The classifier is sure of a picture if it gives one class at least this probability.
SURE = 0.9
# The standard error of the kernel distance needs this many.
LEAST_PICTURES = 3
