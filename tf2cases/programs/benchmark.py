"""Measures the speed of this project, in most cases against the usual alternative.

    python -m bin.benchmark training --cases=mnist_mlp,vae
    python -m bin.benchmark training --help

Contenders take turns in every round, so that drifts in machine speed affect all of them alike; the results are medians
[min .. max] over the rounds.
"""

from tf2cases.benchmarks import captchas, digits, features, gpu, inference, pictures, serving, training, wordcloud

_MODULES = (training, inference, captchas, pictures, digits, features, wordcloud, serving, gpu)
PARTS = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
