"""Variational autoencoders: mirrors `models/image/vae.rs` and `latent_flow.rs` (no labels, one draw)."""

from __future__ import annotations

from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import SQRT2, ImageShape, channels_last, linear
from losses import bernoulli_nll, discretised_logistic_nll, gaussian_log_prob, standard_normal_log_prob
from trunk import Decoder, Encoder, Trunk, halvings_to

MNIST: ImageShape = (1, 28, 28)


class Coupling(nn.Module):
    """`Coupling`: log-scale and shift of one half, given the other."""

    def __init__(self, d: int, hidden: int) -> None:
        super().__init__()
        self.input = linear(d // 2, hidden, SQRT2)
        self.hidden = linear(hidden, hidden, SQRT2)
        self.output = linear(hidden, d, 0.0)

    def forward(self, a: Tensor) -> tuple[Tensor, Tensor]:
        h = F.silu(self.hidden(F.silu(self.input(a))))
        log_scale, shift = self.output(h).chunk(2, dim=1)
        return torch.tanh(log_scale / 2.0) * 2.0, shift


class LatentFlow(nn.Module):
    """`LatentFlow`: the learned prior."""

    def __init__(self, d: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(d, hidden) for _ in range(layers))

    def log_prob(self, z: Tensor) -> Tensor:
        log_det = z.new_zeros(len(z))
        u = z
        for coupling in self.couplings:
            a, b = u.chunk(2, dim=1)
            log_scale, shift = coupling(a)
            log_det = log_det - log_scale.sum(1)
            u = torch.cat([(b - shift) * torch.exp(-log_scale), a], dim=1)
        return standard_normal_log_prob(u) + log_det


class ConvBody(nn.Module):
    """`ConvBody`: preset small, width 48, one block a size."""

    def __init__(self, shape: ImageShape, latent: int, outputs: int) -> None:
        super().__init__()
        trunk = Trunk(shape, width=48, blocks=1, halvings=halvings_to(shape, 8))
        self.bottom = trunk.bottom()
        c, h, w = self.bottom
        self.features = c * h * w
        self.encoder = Encoder(trunk)
        self.expand = linear(latent, self.features, 1.0)
        self.decoder = Decoder(trunk, outputs * shape[0])

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x).flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.expand(z).view(-1, *self.bottom)).flatten(1)


class MlpBody(nn.Module):
    """`MlpBody`: one hidden layer on each side."""

    def __init__(self, pixels: int, latent: int, width: int, outputs: int) -> None:
        super().__init__()
        self.features = width
        self.encoder = linear(pixels, width, SQRT2)
        self.decoder = linear(latent, width, SQRT2)
        self.out = linear(width, outputs * pixels, 0.5)

    def encode(self, x: Tensor) -> Tensor:
        return F.relu(self.encoder(x.flatten(1)))

    def decode(self, z: Tensor) -> Tensor:
        return self.out(F.relu(self.decoder(z)))


Likelihood = Callable[[Tensor, Tensor], Tensor]


def bernoulli(out: Tensor, x: Tensor) -> Tensor:
    """`−log p(x|z)` of binary pixels, `x` in {−1, 1}."""
    return bernoulli_nll(out, (x + 1.0) * 0.5)


def logistic(out: Tensor, x: Tensor) -> Tensor:
    """`−log p(x|z)` of bytes, `x` in [−1, 1]."""
    mean, log_scale = out.chunk(2, dim=1)
    return discretised_logistic_nll(x, mean, log_scale - 2.0)


class Vae(nn.Module):
    """`Net` of `vae.rs` with its bound."""

    def __init__(
        self, body: ConvBody | MlpBody, latent: int, prior: LatentFlow | None, likelihood: Likelihood
    ) -> None:
        super().__init__()
        self.body = body
        self.posterior = linear(body.features, 2 * latent, 0.5)
        self.prior = prior
        self.likelihood = likelihood

    def loss(self, x: Tensor) -> Tensor:
        """The negative ELBO, nats an image."""
        mu, logvar = self.posterior(self.body.encode(x)).chunk(2, dim=1)
        logvar = logvar.clamp(-12.0, 4.0)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        log_q = gaussian_log_prob(z, mu, logvar)
        log_prior = standard_normal_log_prob(z) if self.prior is None else self.prior.log_prob(z)
        return (self.likelihood(self.body.decode(z), x.flatten(1)) + log_q - log_prior).mean()


def mlp_vae() -> Vae:
    """The network of the published MNIST figures: 400 hidden units, 50 latent dimensions."""
    pixels = MNIST[1] * MNIST[2]
    return Vae(MlpBody(pixels, latent=50, width=400, outputs=1), 50, None, bernoulli)


def conv_vae(shape: ImageShape) -> Vae:
    """The preset small."""
    latent = 128 if shape[0] == 3 else 64
    prior = LatentFlow(latent, hidden=max(128, 2 * latent), layers=6)
    return channels_last(Vae(ConvBody(shape, latent, outputs=2), latent, prior, logistic))


def binarised(pixels: Tensor) -> Tensor:
    """Bytes → {−1, 1}, each pixel drawn with its gray value as probability (`Binarize::Dynamic`)."""
    return torch.bernoulli(pixels.float().div_(255.0)).mul_(2.0).sub_(1.0)
