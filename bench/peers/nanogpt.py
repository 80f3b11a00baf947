"""nanoGPT's set-up for a CPU: a character model of tinyshakespeare, learned whole and judged.

    python nanogpt.py TEXT.txt [--threads N] [--steps N] [--seed N]

Written from what is published: GPT-2 (Radford et al., 2019) with 4 layers, 4 heads, 128 wide, 64 characters of
context, no biases, no dropout, the head tied to the embedding; batches of 12, AdamW with 1e-3 falling to 1e-4 along
half a cosine over 2000 steps, 100 steps of warm-up, betas 0.9 and 0.99, decay 0.1 on matrices, gradients clipped to 1.
The first 90 % of the characters are learned, the last 10 % validate.

Prints JSON lines: an estimate of the validation loss from 20 random batches every 250 steps, and last the result:
seconds of training (looking left out), nats a character over the whole validation text in windows of 64, characters
a second of plain sampling (no cache: the whole context goes through the model for each character), and the peak of
memory in megabytes.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS, HEADS, WIDTH, TIME = 4, 4, 128, 64
BATCH, WARM_UP, LOOK_EVERY, LOOKS = 12, 100, 250, 20
LR, LEAST_LR, BETAS, DECAY, CLIP = 1e-3, 1e-4, (0.9, 0.99), 0.1, 1.0
DRAWN = 1000


class Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, bias=False)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm2 = nn.LayerNorm(WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[n, time, width]`."""
        parts = self.qkv(self.norm1(x)).split(WIDTH, dim=2)
        q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocab, WIDTH)
        self.position = nn.Embedding(TIME, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # What is added to the residual stream starts smaller, the more layers add to it.
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if deep else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the character after each position: `[n, time] → [n, time, vocab]`."""
        return F.linear(self._hidden(tokens), self.token.weight)

    def last(self, tokens: Tensor) -> Tensor:
        """Logits of the character after the last position: `[n, vocab]`."""
        return F.linear(self._hidden(tokens)[:, -1], self.token.weight)

    def loss(self, tokens: Tensor, reduction: str = "mean") -> Tensor:
        """Nats a character of `[n, time + 1]`, whose first column is only read."""
        logits = self(tokens[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction=reduction)

    def _hidden(self, tokens: Tensor) -> Tensor:
        x = self.token(tokens) + self.position.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def random_batch(data: Tensor) -> Tensor:
    """Passages of `time + 1` characters from anywhere: `[batch, time + 1]`."""
    starts = torch.randint(len(data) - TIME, (BATCH, 1))
    return data[starts + torch.arange(TIME + 1)]


def learning_rate(step: int, steps: int) -> float:
    if step < WARM_UP:
        return LR * (step + 1) / (WARM_UP + 1)
    progress = (step - WARM_UP) / max(steps - WARM_UP, 1)
    return LEAST_LR + 0.5 * (1.0 + math.cos(math.pi * progress)) * (LR - LEAST_LR)


def train(net: Gpt, data: Tensor, valid: Tensor, steps: int) -> float:
    """The seconds it took, without those of the looks."""
    matrices = [w for w in net.parameters() if w.dim() >= 2]
    gains = [w for w in net.parameters() if w.dim() < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": gains, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=BETAS, fused=True)
    secs = 0.0
    for step in range(steps):
        start = time.perf_counter()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        loss = net.loss(random_batch(data))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
        secs += time.perf_counter() - start
        if (step + 1) % LOOK_EVERY == 0:
            say({"step": step + 1, "secs": round(secs, 2), "val_estimate": estimate(net, valid)})
    return secs


@torch.inference_mode()
def estimate(net: Gpt, valid: Tensor) -> float:
    """The mean loss of a few random batches."""
    return sum(net.loss(random_batch(valid)).item() for _ in range(LOOKS)) / LOOKS


@torch.inference_mode()
def validation(net: Gpt, valid: Tensor) -> float:
    """Nats a character over all of the text, in windows that do not know of each other."""
    whole = (len(valid) - 1) // TIME
    windows = valid[: whole * TIME + 1].unfold(0, TIME + 1, TIME)
    nats = sum(net.loss(part, "sum").item() for part in windows.split(128))
    rest = valid[whole * TIME :]
    if len(rest) > 1:
        nats += net.loss(rest[None], "sum").item()
    return nats / (len(valid) - 1)


@torch.inference_mode()
def sample(net: Gpt, n: int) -> Tensor:
    """`n` characters after a newline, which is the first of the vocabulary."""
    tokens = torch.zeros((1, 1), dtype=torch.long)
    for _ in range(n):
        probabilities = F.softmax(net.last(tokens[:, -TIME:]), dim=-1)
        tokens = torch.cat([tokens, torch.multinomial(probabilities, num_samples=1)], dim=1)
    return tokens[0, 1:]


def say(message: dict) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="nanoGPT's set-up for a CPU, learned whole")
    parser.add_argument("text", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1337)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    text = options.text.read_text(encoding="utf-8")
    characters = sorted(set(text))
    index = {character: i for i, character in enumerate(characters)}
    tokens = torch.tensor([index[character] for character in text])
    data, valid = tokens.split([len(tokens) * 9 // 10, len(tokens) - len(tokens) * 9 // 10])
    net = Gpt(len(characters))
    secs = train(net, data, valid, options.steps)
    sample(net, 100)
    start = time.perf_counter()
    drawn = sample(net, DRAWN)
    rate = DRAWN / (time.perf_counter() - start)
    say({"sample": "".join(characters[i] for i in drawn[:300].tolist())})
    say({
        "name": f"nanoGPT in PyTorch {torch.__version__.split('+')[0]}",
        "parameters": sum(w.numel() for w in net.parameters()),
        "steps": options.steps,
        "train_secs": round(secs, 2),
        "val_nats": validation(net, valid),
        "val_estimate": estimate(net, valid),
        "sample_rate": rate,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    })


if __name__ == "__main__":
    main()
