"""Measures how fast this project is, most often against what people would use instead.

    python -m bin.benchmark training --cases=mnist_mlp,vae
    python -m bin.benchmark training --help

Contenders are measured in turn, round by round, so that a machine whose speed drifts treats them alike; the results are
medians [min .. max] over the rounds.
"""

from tf2cases.benchmarks import captchas, features, gpu, inference, pictures, training, wordcloud

_MODULES = (training, inference, captchas, pictures, features, wordcloud, gpu)
PARTS = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
