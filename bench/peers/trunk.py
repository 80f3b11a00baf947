"""The convolutional encoder and decoder of VAE and VQ-VAE: mirrors `models/image/trunk.rs`."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from layers import ImageShape, ResBlock, conv, crop_to, group_norm, halving, pad_to, padded


@dataclass(frozen=True)
class Trunk:
    """`Trunk`: what both halves are built from."""

    shape: ImageShape
    width: int
    blocks: int
    halvings: int

    def channels(self, level: int) -> int:
        """Channels after `level` halvings."""
        return {0: self.width // 2, 1: self.width}.get(level, self.width * 2)

    def padded(self) -> tuple[int, int]:
        """Height and width that halve evenly."""
        return padded(self.shape[1], self.halvings), padded(self.shape[2], self.halvings)

    def bottom(self) -> ImageShape:
        """Channels, height and width of the smallest map."""
        height, width = self.padded()
        return self.channels(self.halvings), height >> self.halvings, width >> self.halvings


def halvings_to(shape: ImageShape, target: int) -> int:
    """`Trunk::halvings_to`: halvings after which no side is longer than `target`."""
    longest = max(shape[1:])
    return next((h for h in range(1, 8) if padded(longest, h) >> h <= target), 8)


class Encoder(nn.Module):
    """`Encoder`: image → the smallest map."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level in range(1, trunk.halvings + 1):
            c_in = trunk.shape[0] if level == 1 else trunk.channels(level - 1)
            c = trunk.channels(level)
            layers.append(halving(c_in, c, 1.0))
            layers.extend(ResBlock(c, c) for _ in range(trunk.blocks))
        self.layers = nn.Sequential(*layers)
        self.norm = group_norm(trunk.bottom()[0])
        self.padded = trunk.padded()

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.norm(self.layers(pad_to(x, *self.padded))))


class Decoder(nn.Module):
    """`Decoder`: the smallest map → `outputs` channels of the image's size."""

    def __init__(self, trunk: Trunk, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level in range(trunk.halvings, 0, -1):
            c = trunk.channels(level)
            layers.extend(ResBlock(c, c) for _ in range(trunk.blocks))
            layers.append(conv(c, 4 * trunk.channels(level - 1), 3, 1.0))
            layers.append(nn.PixelShuffle(2))
        self.layers = nn.Sequential(*layers)
        self.norm = group_norm(trunk.channels(0))
        self.out = conv(trunk.channels(0), outputs, 3, 0.5)
        self.size = trunk.shape[1:]

    def forward(self, z: Tensor) -> Tensor:
        h = self.out(F.silu(self.norm(self.layers(z))))
        return crop_to(h, *self.size)
