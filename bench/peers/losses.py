"""Log-likelihoods: mirrors `mintage-nn/src/losses.rs`. All in nats, summed over each row."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LN_2PI = math.log(2.0 * math.pi)


def gaussian_log_prob(x: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """`log N(x; mean, exp(logvar))`."""
    return -0.5 * ((x - mean).square() / logvar.exp() + logvar + LN_2PI).sum(1)


def standard_normal_log_prob(x: Tensor) -> Tensor:
    """`log N(x; 0, I)`."""
    return -0.5 * (x.square() + LN_2PI).sum(1)


def bernoulli_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """`−log p(targets | logits)`."""
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1)


def discretised_logistic_nll(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """`−log P` of the 256 levels; `x` and `mean` in [−1, 1]."""
    log_scale = log_scale.clamp(min=-7.0)
    inv = torch.exp(-log_scale)
    centred = x - mean
    upper = (centred + 1.0 / 255.0) * inv
    lower = (centred - 1.0 / 255.0) * inv
    inside = (torch.sigmoid(upper) - torch.sigmoid(lower)).clamp(min=1e-12).log()
    mid = centred * inv
    density = mid - log_scale - 2.0 * F.softplus(mid) - math.log(127.5)
    log_p = torch.where(inside > -11.0, inside, density)
    log_p = torch.where(x < -0.999, F.logsigmoid(upper), log_p)
    log_p = torch.where(x > 0.999, F.logsigmoid(-lower), log_p)
    return -log_p.sum(1)
