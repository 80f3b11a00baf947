"""From a cold start to one picture: `start.py MODEL_PT OUT.png`; with `--make`, writes MODEL_PT first."""

from __future__ import annotations

import argparse

import torch
from PIL import Image

from gan import LATENT, Generator
from layers import to_pixels

MNIST = (1, 28, 28)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--make", action="store_true", help="write a fresh MODEL_PT first")
    args = parser.parse_args()
    if args.make:
        torch.save(Generator(MNIST).state_dict(), args.model)
    generator = Generator(MNIST)
    generator.load_state_dict(torch.load(args.model, weights_only=True))
    with torch.inference_mode():
        picture = to_pixels(generator(torch.randn(1, LATENT)))
    Image.fromarray(picture[0, 0].numpy()).save(args.out)


if __name__ == "__main__":
    main()
