"""The GAN: mirrors `models/image/gan.rs` (preset small, no labels, no augmentation)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import SQRT2, ImageShape, conv, crop_to, halving, linear, pad_to, padded

LATENT = 64
WIDTH = 32
PENALTY = 2.0
PENALTY_EVERY = 2
BOTTOM = 4


class Pyramid:
    """`Pyramid`: sizes by halving, channels by level."""

    def __init__(self, shape: ImageShape) -> None:
        longest = max(shape[1:])
        self.halvings = next((h for h in range(2, 8) if padded(longest, h) >> h <= BOTTOM), 8)
        self.padded = padded(shape[1], self.halvings), padded(shape[2], self.halvings)
        height, width = self.padded
        self.bottom = (self.channels(self.halvings), height >> self.halvings, width >> self.halvings)

    def channels(self, level: int) -> int:
        """Channels after `level ≥ 1` halvings."""
        return WIDTH << min(level - 1, 2)


def act(x: Tensor) -> Tensor:
    """The rectifier of both networks, scaled to keep the variance."""
    # In place: the product's gradient needs neither of its sides.
    return F.leaky_relu(x, 0.2).mul_(SQRT2)


class PlainBlock(nn.Module):
    """`x + conv(act(conv(act(x))))`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, 3, 1.0)
        self.conv2 = conv(channels, channels, 3, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(act(self.conv1(act(x))))


class Generator(nn.Module):
    """`Generator`: `z [n, 64]` → images, about in [−1, 1]."""

    def __init__(self, shape: ImageShape) -> None:
        super().__init__()
        pyramid = Pyramid(shape)
        self.bottom, self.size = pyramid.bottom, shape[1:]
        c, h, w = self.bottom
        self.start = linear(LATENT, c * h * w, 1.0)
        stages: list[nn.Module] = []
        for level in range(pyramid.halvings, 0, -1):
            stages.append(PlainBlock(pyramid.channels(level)))
            if level > 1:
                stages.extend(self._grow(pyramid.channels(level), pyramid.channels(level - 1)))
        self.stages = nn.Sequential(*stages)
        fine = max(WIDTH // 2, 8)
        self.unfold = conv(WIDTH, 4 * fine, 3, 1.0)
        self.out = conv(fine, shape[0], 3, 0.5)

    @staticmethod
    def _grow(c_in: int, c_out: int) -> list[nn.Module]:
        change = [conv(c_in, c_out, 1, 1.0)] if c_in != c_out else []
        return [*change, nn.Upsample(scale_factor=2, mode="nearest")]

    def forward(self, z: Tensor) -> Tensor:
        x = self.stages(self.start(z).view(-1, *self.bottom))
        x = act(F.pixel_shuffle(self.unfold(act(x)), 2))
        return crop_to(self.out(x), *self.size)


class Discriminator(nn.Module):
    """`Discriminator`: images → one score each; larger is more real."""

    def __init__(self, shape: ImageShape) -> None:
        super().__init__()
        pyramid = Pyramid(shape)
        self.padded = pyramid.padded
        c, h, w = pyramid.bottom
        self.stem = halving(shape[0], WIDTH, 1.0)
        stages: list[nn.Module] = []
        for level in range(1, pyramid.halvings + 1):
            stages.append(PlainBlock(pyramid.channels(level)))
            if level < pyramid.halvings:
                stages.extend(self._shrink(pyramid.channels(level), pyramid.channels(level + 1)))
        self.stages = nn.Sequential(*stages)
        self.last = linear(c * h * w, c, 1.0)
        self.score = linear(c, 1, 1.0)

    @staticmethod
    def _shrink(c_in: int, c_out: int) -> list[nn.Module]:
        change = [conv(c_in, c_out, 1, 1.0)] if c_in != c_out else []
        return [nn.AvgPool2d(2), *change]

    def forward(self, x: Tensor) -> Tensor:
        h = self.stages(self.stem(pad_to(x, *self.padded)))
        return self.score(act(self.last(act(h).flatten(1)))).view(-1)


def discriminator_loss(
    net: Discriminator, real: Tensor, fake: Tensor, penalised: bool
) -> tuple[Tensor, Tensor]:
    """The relativistic loss, with R1 and R2 by double backward when due; and the scores of `real`."""
    both = torch.cat([real, fake]).requires_grad_(penalised)
    scores = net(both)
    d_real, d_fake = scores.chunk(2)
    loss = F.softplus(d_fake - d_real).mean()
    if penalised:
        (gradient,) = torch.autograd.grad(scores.sum(), both, create_graph=True)
        # Summed over 2n images and divided by n: R1 + R2.
        r1_r2 = gradient.square().sum() / len(real)
        loss = loss + r1_r2 * (PENALTY / 2.0 * PENALTY_EVERY)
    return loss, d_real.detach()


def generator_loss(net: Discriminator, fake: Tensor, d_real: Tensor) -> Tensor:
    """The generator's side of the pairing; `d_real` is a constant, one update old."""
    return F.softplus(d_real - net(fake)).mean()
