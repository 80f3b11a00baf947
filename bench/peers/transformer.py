"""The causal transformer: mirrors `Transformer` of `bench/speed/transformer.rs`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layers import linear


@dataclass(frozen=True)
class Shape:
    """`TransformerConfig`."""

    layers: int
    heads: int
    width: int
    vocab: int
    time: int


class Block(nn.Module):
    """`Block`: pre-norm attention and MLP."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, deep = shape.width, 1.0 / math.sqrt(2.0 * shape.layers)
        self.heads = shape.heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = linear(width, 3 * width, 1.0)
        self.out = linear(width, width, deep)
        self.norm2 = nn.LayerNorm(width)
        self.up = linear(width, 4 * width, 1.0)
        self.down = linear(4 * width, width, deep)

    def forward(self, x: Tensor) -> Tensor:
        """All positions at once: `[n, time, width]`."""
        q, k, v = self._heads(x)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self._mlp(x + self.out(y.transpose(1, 2).reshape(x.shape)))

    def step(self, x: Tensor, keys: Tensor, values: Tensor, position: int) -> Tensor:
        """One position `[n, 1, width]`; writes its key and value into the cache."""
        q, k, v = self._heads(x)
        keys[:, :, position : position + 1] = k
        values[:, :, position : position + 1] = v
        seen = slice(0, position + 1)
        y = F.scaled_dot_product_attention(q, keys[:, :, seen], values[:, :, seen])
        return self._mlp(x + self.out(y.transpose(1, 2).reshape(x.shape)))

    def _heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values: `[n, time, width]` → each `[n, heads, time, d]`."""
        parts = self.qkv(self.norm1(x)).split(x.shape[2], dim=2)
        return tuple(part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)

    def _mlp(self, x: Tensor) -> Tensor:
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    """`Transformer`: its first position is a start vector."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token = nn.Embedding(shape.vocab, shape.width)
        self.position = nn.Parameter(torch.randn(shape.time, shape.width) * 0.02)
        self.start = nn.Parameter(torch.randn(1, shape.width) * 0.02)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.head = linear(shape.width, shape.vocab, 0.1)
        nn.init.normal_(self.token.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of every position given the tokens before it: `[n, time] → [n, time, vocab]`."""
        return self.head(self.norm(self._hidden(tokens[:, :-1])))

    def loss(self, tokens: Tensor) -> Tensor:
        """Mean cross-entropy of the tokens, nats."""
        return F.cross_entropy(self(tokens).flatten(0, 1), tokens.flatten())

    def _hidden(self, prefix: Tensor) -> Tensor:
        """The start vector and the tokens of `prefix [n, t]` through all blocks: `[n, t + 1, width]`."""
        start = self.start.expand(len(prefix), 1, -1)
        x = torch.cat([start, self.token(prefix)], dim=1)
        x = x + self.position[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        return x

    @torch.inference_mode()
    def sample(self, n: int) -> Tensor:
        """Draws `n` sequences with a cache of keys and values: `[n, time]`."""
        shape = self.shape
        size = (shape.layers, n, shape.heads, shape.time, shape.width // shape.heads)
        keys, values = torch.empty(size), torch.empty(size)
        tokens = torch.empty((n, shape.time), dtype=torch.long)
        x = self.start.expand(n, 1, -1)
        for position in range(shape.time):
            x = x + self.position[position]
            for block, k, v in zip(self.blocks, keys, values):
                x = block.step(x, k, v, position)
            drawn = draw(self.head(self.norm(x))[:, -1])
            tokens[:, position] = drawn[:, 0]
            x = self.token(drawn)
        return tokens

    @torch.inference_mode()
    def sample_loop(self, n: int) -> Tensor:
        """The same as a plain loop: the whole prefix goes through the model for each token."""
        tokens = torch.empty((n, 0), dtype=torch.long)
        for _ in range(self.shape.time):
            logits = self.head(self.norm(self._hidden(tokens)[:, -1]))
            tokens = torch.cat([tokens, draw(logits)], dim=1)
        return tokens


def draw(logits: Tensor) -> Tensor:
    """One token a row at temperature 1: `[n, vocab] → [n, 1]`."""
    return torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)
