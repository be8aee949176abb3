"""Measures how fast this project is, most often against what people would use instead.

    python -m bin.benchmark training --cases=mnist_mlp,vae
    python -m bin.benchmark training --help

Contenders are measured in turn, round by round, so that a machine whose speed drifts treats them alike; the results are
medians [min .. max] over the rounds.
"""

from tf2cases.benchmarks import captchas, features, gpu, inference, pictures, training, wordcloud

PARTS = {
    "training": training,
    "inference": inference,
    "captchas": captchas,
    "pictures": pictures,
    "features": features,
    "wordcloud": wordcloud,
    "gpu": gpu,
}
