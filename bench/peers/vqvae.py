"""VQ-VAE, phase 1: mirrors `models/image/vqvae.rs` and the `Codebook` of `mintage-nn/src/quantize.rs`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layers import ImageShape, channels_last, conv
from losses import discretised_logistic_nll
from transformer import Shape, Transformer
from trunk import Decoder, Encoder, Trunk, halvings_to

DECAY = 0.95
DEAD_SHARE = 0.05
REVIVED_SHARE = 0.1


class Codebook:
    """`Codebook`: learned by moving averages, started by k-means, dead codes revived."""

    def __init__(self, size: int, d: int) -> None:
        self.size, self.d = size, d
        self.vectors = torch.zeros(size, d)
        self.counts = torch.ones(size)
        self.sums = torch.zeros(size, d)
        self.initialised = False

    @torch.no_grad()
    def initialise(self, inputs: Tensor) -> None:
        """k-means with a k-means++ start and ten iterations."""
        self._spread(inputs)
        for _ in range(10):
            counts, sums = self._totals(inputs, self.nearest(inputs))
            anew = inputs[torch.randint(len(inputs), (self.size,))]
            self.vectors = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1.0)[:, None], anew)
        self.counts = torch.full((self.size,), len(inputs) / self.size)
        self.sums = self.vectors * self.counts[:, None]
        self.initialised = True

    def _spread(self, inputs: Tensor) -> None:
        distances = torch.ones(len(inputs))
        for code in range(self.size):
            centre = inputs[torch.multinomial(distances, 1)]
            square = (inputs - centre).square().sum(1)
            distances = square if code == 0 else torch.minimum(distances, square)
            self.vectors[code] = centre[0] + 1e-4 * torch.randn(self.d)

    @torch.no_grad()
    def nearest(self, inputs: Tensor) -> Tensor:
        """The nearest code of each row: argmin ‖x − c‖² = argmax x·c − ½‖c‖²."""
        half_norms = 0.5 * self.vectors.square().sum(1)
        return torch.addmm(half_norms, inputs, self.vectors.T, beta=-1.0).argmax(1)

    @torch.no_grad()
    def update(self, inputs: Tensor, codes: Tensor) -> None:
        """Moves the codes towards their inputs and revives the dead ones."""
        counts, sums = self._totals(inputs, codes)
        self.counts.lerp_(counts, 1.0 - DECAY)
        self.sums.lerp_(sums, 1.0 - DECAY)
        self.vectors = self.sums / self.counts.clamp(min=1e-6)[:, None]
        dead = torch.nonzero(self.counts < DEAD_SHARE * len(codes) / self.size)[:, 0]
        if len(dead) > 0:
            self._revive(dead, inputs, codes)

    def _revive(self, dead: Tensor, inputs: Tensor, codes: Tensor) -> None:
        distances = 1e-12 + (inputs - self.vectors[codes]).square().sum(1)
        chosen = inputs[torch.multinomial(distances, len(dead))]
        count = REVIVED_SHARE * len(codes) / self.size
        self.vectors[dead] = chosen
        self.sums[dead] = chosen * count
        self.counts[dead] = count

    def _totals(self, inputs: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        counts = torch.bincount(codes, minlength=self.size).float()
        return counts, torch.zeros(self.size, self.d).index_add_(0, codes, inputs)


def rotate_onto(x: Tensor, q: Tensor) -> Tensor:
    """`rotate_onto`: `q` as a constant rotation and scaling of `x` (Fifty et al., arXiv:2410.06424)."""
    with torch.no_grad():
        x_norm = x.norm(dim=1, keepdim=True) + 1e-6
        q_norm = q.norm(dim=1, keepdim=True) + 1e-6
        x_hat, q_hat = x / x_norm, q / q_norm
        r = x_hat + q_hat
        r = r / (r.norm(dim=1, keepdim=True) + 1e-6)
        scale = q_norm / x_norm
    along_r = (r * x).sum(1, keepdim=True)
    along_x = (x_hat * x).sum(1, keepdim=True)
    return (x - 2.0 * r * along_r + 2.0 * q_hat * along_x) * scale


class Autoencoder(nn.Module):
    """`Autoencoder`: preset small, 512 codes of 8 dimensions on an 8×8 grid."""

    def __init__(self, shape: ImageShape, d: int, grid: int) -> None:
        super().__init__()
        trunk = Trunk(shape, width=48, blocks=1, halvings=halvings_to(shape, grid))
        channels, height, width = trunk.bottom()
        self.channels, self.grid = shape[0], (height, width, d)
        self.encoder = Encoder(trunk)
        self.to_code = conv(channels, d, 1, 1.0)
        self.from_code = conv(d, channels, 3, 1.0)
        self.decoder = Decoder(trunk, 2 * shape[0])

    def encode(self, x: Tensor) -> Tensor:
        """One vector a grid cell: `[n · h' · w', d]`."""
        return self.to_code(self.encoder(x)).permute(0, 2, 3, 1).reshape(-1, self.grid[2])

    def decode(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The mean image and the log-scales of its pixels."""
        grid = vectors.view(-1, *self.grid).permute(0, 3, 1, 2)
        mean, log_scale = self.decoder(self.from_code(grid)).split(self.channels, dim=1)
        return mean, log_scale - 3.0


@dataclass
class Phase1:
    """What is minimised, the squared error that is reported, and what the codebook's update needs."""

    loss: Tensor
    mse: Tensor
    inputs: Tensor
    codes: Tensor


class Vqvae:
    """`Vqvae`: autoencoder and codebook in training, the prior over codes waiting for phase 2."""

    def __init__(self, shape: ImageShape) -> None:
        grid = 16 if max(shape[1:]) > 32 else 8
        self.autoencoder = channels_last(Autoencoder(shape, d=8, grid=grid))
        self.codebook = Codebook(512, 8)
        height, width, _ = self.autoencoder.grid
        self.prior = Transformer(Shape(layers=4, heads=4, width=192, vocab=512, time=height * width))

    def loss(self, x: Tensor) -> Phase1:
        """The forward pass of `step_autoencoder`."""
        z = self.autoencoder.encode(x)
        inputs = z.detach()
        if not self.codebook.initialised:
            self.codebook.initialise(inputs)
        codes = self.codebook.nearest(inputs)
        q = self.codebook.vectors[codes]
        commitment = (z - q).square().mean()
        mean, log_scale = self.autoencoder.decode(rotate_onto(z, q))
        mse = (mean - x).square().mean() / 4.0
        flat = x.flatten(1)
        nll = discretised_logistic_nll(flat, mean.detach().flatten(1), log_scale.flatten(1)).mean()
        loss = mse * 20.0 + nll / flat.shape[1] * 0.02 + commitment * 0.25
        return Phase1(loss, mse.detach(), inputs, codes)
