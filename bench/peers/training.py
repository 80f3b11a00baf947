"""One optimiser step: mirrors `mintage-nn/src/optim.rs` (clipping, AdamW, weight average)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class AdamW:
    """`AdamW`: hyper-parameters; 0 switches clipping, or the average, off."""

    lr: float
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.999


class Trainer:
    """`Trainable`: a network with its AdamW state and the moving average of its weights."""

    def __init__(self, net: nn.Module, config: AdamW) -> None:
        self.config = config
        self.weights = list(net.parameters())
        self.average = [w.detach().clone() for w in self.weights] if config.ema > 0 else []
        self.steps = 0
        # Decay acts on matrices and kernels only, never on biases and gains.
        groups = [
            {"params": [w for w in self.weights if w.dim() >= 2], "weight_decay": config.weight_decay},
            {"params": [w for w in self.weights if w.dim() < 2], "weight_decay": 0.0},
        ]
        betas = (config.beta1, config.beta2)
        self.optimizer = torch.optim.AdamW(groups, lr=config.lr, betas=betas, eps=1e-8, fused=True)

    def update(self, loss: Tensor) -> float:
        """One update by the gradient of `loss`; returns its value."""
        self.optimizer.zero_grad(set_to_none=True)
        # Of the weights only: a penalty on the images' gradient makes them leaves of the graph too.
        loss.backward(inputs=self.weights)
        if self.config.clip > 0:
            nn.utils.clip_grad_norm_(self.weights, self.config.clip, foreach=True)
        self.optimizer.step()
        self.steps += 1
        self._average()
        return loss.item()

    @torch.no_grad()
    def _average(self) -> None:
        if self.average:
            decay = min(self.config.ema, (1 + self.steps) / (10 + self.steps))
            torch._foreach_lerp_(self.average, self.weights, 1.0 - decay)


def parameters(*nets: nn.Module) -> int:
    """How many numbers the networks have."""
    return sum(w.numel() for net in nets for w in net.parameters())
