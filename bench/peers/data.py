"""Data of the cases: the prefix of each set that a measurement needs, as bytes `[n, c, h, w]`."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

# Speed does not depend on which images are seen: a few thousand keep start and memory small.
IMAGES = 4096
TOKENS = 100_000
VOCAB = 65


def idx_images(path: Path) -> Tensor:
    """The first images of an IDX file (`n × h × w` or `n × h × w × c` bytes), gzipped or not."""
    if not path.exists():
        path = path.with_name(path.name + ".gz")
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        rank = file.read(4)[3]
        n, h, w, *c = np.frombuffer(file.read(4 * rank), dtype=">i4").tolist()
        channels = c[0] if c else 1
        n = min(n, IMAGES)
        data = np.frombuffer(bytearray(file.read(n * h * w * channels)), dtype=np.uint8)
    return torch.from_numpy(data).view(n, h, w, channels).permute(0, 3, 1, 2).contiguous()


def mnist(root: Path) -> Tensor:
    """Handwritten digits, 1×28×28."""
    return idx_images(root / "images/mnist/train-images-idx3-ubyte")


def emoji64(root: Path) -> Tensor:
    """Emoji, 3×64×64."""
    return idx_images(root / "images/emoji64-rgb-idx4-ubyte")


def cifar10(root: Path) -> Tensor:
    """Photographs, 3×32×32: equally many of each class."""
    folders = sorted((root / "images/cifar10/train").iterdir())
    share = IMAGES // len(folders)
    files = [file for folder in folders for file in sorted(folder.iterdir())[:share]]
    return torch.stack([decode(file) for file in files])


def decode(path: Path) -> Tensor:
    """A picture file as RGB bytes `[3, h, w]`."""
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def batches(pixels: Tensor, size: int) -> Iterator[Tensor]:
    """Shuffled batches of bytes without end; the rest of an epoch that fills no batch is left out."""
    while True:
        order = torch.randperm(len(pixels))
        for chosen in order[: len(order) // size * size].split(size):
            yield pixels[chosen]


def token_batches(n: int, time: int) -> Iterator[Tensor]:
    """Batches `[n, time]` of a stream made by a rule, one after another, round and round."""
    i = torch.arange(TOKENS)
    stream = (i * 7919 + (i // 13) * 31) % VOCAB
    window = torch.arange(n * time)
    step = 0
    while True:
        yield stream[(window + step * n * time) % TOKENS].view(n, time)
        step += 1


def row_batches(pool: Tensor, target: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of rows in order; the rest of the pool that fills no batch is left out."""
    while True:
        for start in range(0, len(pool) - size + 1, size):
            yield pool[start : start + size], target[start : start + size]


class PictureFolder(Dataset):
    """The PNG files below a folder."""

    def __init__(self, root: Path) -> None:
        self.files = sorted(root.rglob("*.png"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        return decode(self.files[index])


def folder_batches(root: Path, size: int) -> Iterator[Tensor]:
    """Shuffled batches of decoded pictures without end, read by two worker processes."""
    pictures = PictureFolder(root)
    if len(pictures) < size:
        raise FileNotFoundError(f"{root} holds {len(pictures)} PNG files, a batch needs {size}")
    loader = DataLoader(
        pictures, batch_size=size, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True
    )
    while True:
        yield from loader
