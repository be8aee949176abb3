"""Every model of every case, for the tests of exports and of serving."""

from tf2cases.configs.inception_v3 import WEIGHTS_DIR

DIGITS = {"image_shape": [28, 28, 1], "class_names": list("0123456789")}
HOUSES = {
    "feature_names": ["square_feet", "bedrooms"],
    "target_name": "price",
    "mean": [2000.7, 3.17, 340413.0],
    "std": [794.7, 0.76, 125040.0],
}


def retrain_info():
    """Made when it is needed: the network takes seconds."""
    from tf2cases.inception_v3 import extractor

    base = extractor.load("random", WEIGHTS_DIR)
    return {"class_names": ["cat", "dog", "newt"], "weights": base.identity}


# Export name -> (case, config fields, data info or what makes it): every model of every case.
EXPORTS = {
    "linear_regression": ("linear_regression", {}, HOUSES),
    "mnist_mlp": ("mnist", {"model": "mlp"}, DIGITS),
    "mnist_cnn": ("mnist", {"model": "cnn"}, DIGITS),
    "autoencoder": ("autoencoder", {}, {"image_shape": [28, 28, 1]}),
    "autoencoder_original": ("autoencoder", {"model": "original"}, {"image_shape": [32, 32, 3]}),
    "dcgan_celeba": ("dcgan", {"dataset": "celeba"}, {"image_shape": [32, 32, 3]}),
    "vae": ("vae", {}, {"image_shape": [28, 28, 1]}),
    "captcha": ("captcha", {}, {"image_shape": [60, 160, 1], "charset": "0123456789", "length": 4}),
    "retrain": ("retrain", {"weights": "random"}, retrain_info),
}
