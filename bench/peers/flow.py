"""Flow matching with a U-Net: mirrors `models/image/flow.rs` (preset small, no labels)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import (
    SQRT2,
    ImageShape,
    ResBlock,
    SelfAttention2d,
    channels_last,
    conv,
    crop_to,
    group_norm,
    halving,
    linear,
    pad_to,
    padded,
    sinusoidal,
)

WIDTH = 48
ATTENTION_SIDE = 8
STEPS = 10


class Level(nn.Module):
    """One residual block of a level, and attention where the map is small."""

    def __init__(self, c_in: int, c_out: int, d_cond: int, attends: bool) -> None:
        super().__init__()
        self.block = ResBlock(c_in, c_out, d_cond)
        self.attention = SelfAttention2d(c_out) if attends else None

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        h = self.block(x, cond)
        return h if self.attention is None else self.attention(h)


class UNet(nn.Module):
    """`UNet`: the velocity `v(x_t, t)`; one block a level."""

    def __init__(self, shape: ImageShape) -> None:
        super().__init__()
        longest = max(shape[1:])
        fits = (h for h in range(1, 8) if padded(longest, h) >> h <= ATTENTION_SIDE)
        levels = max(next(fits, 8), 2)
        channels = [WIDTH] + [2 * WIDTH] * (levels - 1)
        d_cond, patch = 4 * WIDTH, 4 * shape[0]
        self.size = shape[1:]
        self.padded = padded(shape[1], levels), padded(shape[2], levels)
        self.time1 = linear(WIDTH, d_cond, SQRT2)
        self.time2 = linear(d_cond, d_cond, 1.0)
        self.stem = conv(patch, WIDTH, 3, 1.0)
        attends = [level + 1 == levels for level in range(levels)]
        self.down = nn.ModuleList(Level(c, c, d_cond, a) for c, a in zip(channels, attends))
        self.shrink = nn.ModuleList(halving(a, b, 1.0) for a, b in zip(channels, channels[1:]))
        self.middle = ResBlock(channels[-1], channels[-1], d_cond)
        self.up = nn.ModuleList(Level(2 * c, c, d_cond, a) for c, a in zip(channels[::-1], attends[::-1]))
        self.grow = nn.ModuleList(conv(a, b, 3, 1.0) for a, b in zip(channels[:0:-1], channels[-2::-1]))
        self.norm = group_norm(WIDTH)
        self.out = conv(WIDTH, patch, 3, 0.0)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """`x [n, c, h, w]`, `t [n]` → the velocity of `x`."""
        cond = self.time2(F.silu(self.time1(sinusoidal(t, WIDTH, 1000.0))))
        cond = F.silu(cond)
        h = self.stem(F.pixel_unshuffle(pad_to(x, *self.padded), 2))
        skips = []
        for i, level in enumerate(self.down):
            h = level(h, cond)
            skips.append(h)
            if i < len(self.shrink):
                h = self.shrink[i](h)
        h = self.middle(h, cond)
        for i, level in enumerate(self.up):
            h = level(torch.cat([h, skips.pop()], dim=1), cond)
            if i < len(self.grow):
                h = F.interpolate(self.grow[i](h), scale_factor=2, mode="nearest")
        patches = self.out(F.silu(self.norm(h)))
        return crop_to(F.pixel_shuffle(patches, 2), *self.size)

    def loss(self, x_1: Tensor) -> Tensor:
        """Mean squared error of the velocity."""
        x_0 = torch.randn_like(x_1)
        # Logit-normal times; one draw in four is uniform, so that both ends are seen too.
        t = torch.sigmoid(torch.randn(len(x_1)))
        t[::4] = torch.rand(len(t[::4]))
        way = x_1 - x_0
        x_t = x_0 + way * t[:, None, None, None]
        return F.mse_loss(self(x_t, t), way)

    @torch.inference_mode()
    def sample(self, n: int, channels: int) -> Tensor:
        """Heun's rule from noise to image, the last step Euler's: `2 · STEPS − 1` evaluations."""
        x, dt = channels_last(torch.randn(n, channels, *self.size)), 1.0 / STEPS
        for step in range(STEPS):
            v = self(x, torch.full((n,), step * dt))
            ahead = x + v * dt
            if step + 1 == STEPS:
                return ahead
            x = x + (v + self(ahead, torch.full((n,), (step + 1) * dt))) * (dt / 2.0)
        return x
