"""The networks that `benchmark training` measures, in PyTorch: channels last, fused optimizers, denormals flushed."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

VERSIONS = {"torch": torch.__version__}


def _mlp() -> nn.Module:
    hidden = [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(512, 10))


def _cnn() -> nn.Module:
    convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]
    return nn.Sequential(
        *convolutions, nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)
    )


def _captcha() -> nn.Module:
    first = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
    second = [nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)]
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Dropout(0.25), nn.Linear(64 * 13 * 38, 40))


def _autoencoder() -> nn.Module:
    def block(channels: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, 32, 3, padding="same"), nn.ReLU()]

    encoder = [*block(1), nn.MaxPool2d(2), *block(32), nn.MaxPool2d(2)]
    decoder = [*block(32), nn.Upsample(scale_factor=2), *block(32), nn.Upsample(scale_factor=2)]
    return nn.Sequential(*encoder, *decoder, nn.Conv2d(32, 1, 3, padding="same"))


class _VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.mean, self.log_variance = nn.Linear(784, 256), nn.Linear(256, 2), nn.Linear(256, 2)
        self.decoder = nn.Sequential(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 784))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        hidden = functional.relu(self.hidden(x))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        return self.decoder(z), mean, log_variance


def _cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.float(), labels)


def _heads(logits: torch.Tensor, one_hot: torch.Tensor) -> torch.Tensor:
    probabilities = functional.softmax(logits.float().view(-1, 4, 10), dim=-1)
    return functional.binary_cross_entropy(probabilities.view(-1, 40), one_hot)


def _pixels(logits: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(logits.float(), clean)


def _elbo(outputs: tuple[torch.Tensor, ...], x: torch.Tensor) -> torch.Tensor:
    logits, mean, log_variance = (value.float() for value in outputs)
    reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())
    return (reconstruction + kl) / len(x)


def _adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.001, eps=1e-7, fused=True)


# {case: (network, loss of outputs and targets, optimizer)}.
_MADE: dict[str, tuple[Callable, Callable, Callable]] = {
    "mnist_mlp": (_mlp, _cross_entropy, _adam),
    "mnist_cnn": (_cnn, _cross_entropy, _adam),
    "captcha": (_captcha, _heads, _adam),
    "autoencoder": (
        _autoencoder,
        _pixels,
        lambda parameters: torch.optim.Adadelta(parameters, lr=1.0, rho=0.95, eps=1e-7, foreach=True),
    ),
    "vae": (
        _VAE,
        _elbo,
        lambda parameters: torch.optim.RMSprop(parameters, lr=0.001, alpha=0.9, eps=1e-7, foreach=True),
    ),
}
CASES = tuple(_MADE)


class Fit:
    """A training loop in PyTorch on arrays in memory.

    Args:
      name: of the case, one of `CASES`.
      x, y: the training set; without targets, the loss compares with the inputs.
      batch_size: examples per step.
      precision: float32, or bfloat16 by autocast.
      compiled: whether network and loss are compiled by `torch.compile`.
    """

    def __init__(self, name: str, x: np.ndarray, y: np.ndarray | None, batch_size: int, precision: str, compiled: bool):
        torch.manual_seed(0)
        torch.set_flush_denormal(True)
        make, loss, optimizer = _MADE[name]
        self.network = make().to(memory_format=torch.channels_last)
        self._optimizer = optimizer(self.network.parameters())
        self._arrays = [torch.from_numpy(x), torch.from_numpy(x if y is None else y)]
        if y is not None and y.dtype != np.float32:
            self._arrays[1] = self._arrays[1].long()
        self._batch_size, self._batches = batch_size, self._shuffled()
        self._precision: Any = contextlib.nullcontext()
        if precision == "bfloat16":
            self._precision = torch.autocast("cpu", torch.bfloat16)

        def losses(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            with self._precision:
                outputs = self.network(inputs)
            return loss(outputs, targets)

        self._loss = torch.compile(losses) if compiled else losses

    def _shuffled(self) -> Iterator[list[torch.Tensor]]:
        """Batches in a new order in each epoch; the pictures are views of the arrays' layout, channels last."""
        size = self._batch_size
        whole = len(self._arrays[0]) // size * size
        while True:
            for rows in torch.randperm(len(self._arrays[0]))[:whole].split(size):
                batch = [array[rows] for array in self._arrays]
                yield [value.permute(0, 3, 1, 2) if value.ndim == 4 else value for value in batch]

    def run(self, steps: int) -> int:
        """Trains for some steps, waits for them and returns the number of examples."""
        for _ in range(steps):
            self._optimizer.zero_grad()
            loss = self._loss(*next(self._batches))
            loss.backward()
            self._optimizer.step()
        float(loss.detach())
        return steps * self._batch_size

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())
