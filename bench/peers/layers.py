"""Layers of the image models: mirrors `mintage-nn/src/layers/{basic,residual,attention}.rs`."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SQRT2 = math.sqrt(2.0)
ImageShape = tuple[int, int, int]  # channels, height, width


def linear(d_in: int, d_out: int, gain: float) -> nn.Linear:
    """`Linear::new`: normal weights of standard deviation `gain / √d_in`, zero bias."""
    layer = nn.Linear(d_in, d_out)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(d_in))
    nn.init.zeros_(layer.bias)
    return layer


def conv(c_in: int, c_out: int, kernel: int, gain: float) -> nn.Conv2d:
    """`Conv2d::new`: "same" padding for an odd kernel, normal weights, zero bias."""
    return _initialised(nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2), gain)


def halving(c_in: int, c_out: int, gain: float) -> nn.Conv2d:
    """`Conv2d::halving`: a 4×4 kernel with stride 2."""
    return _initialised(nn.Conv2d(c_in, c_out, 4, stride=2, padding=1), gain)


def _initialised(layer: nn.Conv2d, gain: float) -> nn.Conv2d:
    fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    nn.init.normal_(layer.weight, std=gain / math.sqrt(fan_in))
    nn.init.zeros_(layer.bias)
    return layer


def group_norm(channels: int) -> nn.GroupNorm:
    """`GroupNorm::new`: groups of at least 8 channels, at most 16 groups."""
    most = min(16, max(channels // 8, 1))
    groups = next(g for g in range(most, 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels, eps=1e-5)


class ResBlock(nn.Module):
    """`ResBlock`: norm → SiLU → conv → (+ condition) → norm → SiLU → conv, added to the input."""

    def __init__(self, c_in: int, c_out: int, d_cond: int = 0) -> None:
        super().__init__()
        self.norm1 = group_norm(c_in)
        self.conv1 = conv(c_in, c_out, 3, SQRT2)
        self.condition = linear(d_cond, c_out, 1.0) if d_cond > 0 else None
        self.norm2 = group_norm(c_out)
        self.conv2 = conv(c_out, c_out, 3, 0.0)
        self.skip = conv(c_in, c_out, 1, 1.0) if c_in != c_out else None

    def forward(self, x: Tensor, cond: Tensor | None = None) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        if self.condition is not None and cond is not None:
            h = h + self.condition(cond)[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.skip is None else self.skip(x))


class SelfAttention2d(nn.Module):
    """`SelfAttention2d`: attention over all positions of a map, one head for every 64 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.qkv = conv(channels, 3 * channels, 1, 1.0)
        self.out = conv(channels, channels, 1, 0.0)
        self.heads = max(channels // 64, 1)

    def forward(self, x: Tensor) -> Tensor:
        c, h, w = x.shape[1:]
        # Views without a copy where the map is channels-last.
        parts = self.qkv(self.norm(x)).flatten(2).transpose(1, 2).split(c, dim=2)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v)  # [n, heads, h·w, c / heads]
        y = y.transpose(1, 2).flatten(2).transpose(1, 2).unflatten(2, (h, w))
        return x + self.out(y)


def sinusoidal(t: Tensor, d: int, scale: float) -> Tensor:
    """`sinusoidal`: cosines and sines of a scalar, `[n] → [n, d]`."""
    half = d // 2
    frequencies = torch.exp(-math.log(10_000.0) / half * torch.arange(half))
    angles = scale * t[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def padded(size: int, halvings: int) -> int:
    """`image::padded`: the next size that halves evenly."""
    step = 1 << halvings
    return -(-size // step) * step


def pad_to(x: Tensor, height: int, width: int) -> Tensor:
    """`image::pad_to`: repeats the right and the bottom border."""
    h, w = x.shape[2:]
    return x if (h, w) == (height, width) else F.pad(x, (0, width - w, 0, height - h), mode="replicate")


def crop_to(x: Tensor, height: int, width: int) -> Tensor:
    """`image::crop_to`: undoes `pad_to`."""
    return x[:, :, :height, :width]


T = TypeVar("T", Tensor, nn.Module)


def channels_last(x: T) -> T:
    """The same images or network in the order in memory that convolutions on the CPU are fastest with."""
    return x.to(memory_format=torch.channels_last)


def to_model(pixels: Tensor) -> Tensor:
    """`image::to_model`: bytes → [−1, 1]."""
    return channels_last(pixels.float()).div_(127.5).sub_(1.0)


def to_pixels(image: Tensor) -> Tensor:
    """`image::to_pixels`: [−1, 1] → bytes."""
    return image.add(1.0).mul_(127.5).round_().clamp_(0.0, 255.0).to(torch.uint8)
