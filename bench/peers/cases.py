"""The cases: for each, what one unit of work is. Batch sizes and rates are those of the Rust presets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import data
import flow
import gan
import vae
from layers import SQRT2, ImageShape, channels_last, linear, to_model, to_pixels
from training import AdamW, Trainer, parameters
from transformer import Shape, Transformer
from vqvae import Vqvae

CIFAR: ImageShape = (3, 32, 32)
EMOJI: ImageShape = (3, 64, 64)
GPT_SMALL = Shape(layers=4, heads=4, width=128, vocab=data.VOCAB, time=64)
GPT_LARGE = Shape(layers=6, heads=6, width=384, vocab=data.VOCAB, time=256)
SAMPLES = 64
TABLE_ROWS = 16_384
MATRIX = 2048


@dataclass
class Case:
    """A unit of work (it returns its loss, if it has one) and how many things it counts for."""

    parameters: int
    unit: Callable[[], float | None]
    things: int = 1


def train(net: nn.Module, loss: Callable[..., Tensor], inputs: Iterator[tuple], config: AdamW) -> Case:
    """The usual training step: the loss of the next batch, then one update."""
    trainer = Trainer(net, config)
    return Case(parameters(net), lambda: trainer.update(loss(*next(inputs))))


def mlp_vae(root: Path) -> Case:
    """MNIST, binarised anew in each step."""
    net = vae.mlp_vae()
    inputs = ((vae.binarised(pixels),) for pixels in data.batches(data.mnist(root), 200))
    return vae_case(net, inputs, AdamW(lr=2e-3, clip=100.0), pixels=28 * 28)


def conv_vae(root: Path, load: Callable[[Path], Tensor], shape: ImageShape) -> Case:
    """The conv VAE with a learned prior."""
    inputs = ((to_model(pixels),) for pixels in data.batches(load(root), 32))
    config = AdamW(lr=1.5e-3, weight_decay=0.01, clip=100.0)
    c, h, w = shape
    return vae_case(vae.conv_vae(shape), inputs, config, pixels=c * h * w)


def vae_case(net: vae.Vae, inputs: Iterator[tuple], config: AdamW, pixels: int) -> Case:
    """Nats an image grow with the number of pixels; the step should not. Reported are nats an image."""
    case = train(net, lambda x: net.loss(x) / pixels, inputs, config)
    return Case(case.parameters, lambda: case.unit() * pixels)


def vqvae_32(root: Path) -> Case:
    """Phase 1: autoencoder and codebook. Reported is the mean squared error, as the Rust side does."""
    model = Vqvae(CIFAR)
    trainer = Trainer(model.autoencoder, AdamW(lr=2e-3, weight_decay=1e-4))
    inputs = data.batches(data.cifar10(root), 32)

    def step() -> float:
        result = model.loss(to_model(next(inputs)))
        trainer.update(result.loss)
        model.codebook.update(result.inputs, result.codes)
        return result.mse.item()

    return Case(parameters(model.autoencoder, model.prior), step)


def gan_32(root: Path) -> Case:
    """One step of the discriminator, then one of the generator."""
    generator = channels_last(gan.Generator(CIFAR))
    discriminator = channels_last(gan.Discriminator(CIFAR))
    train_g = Trainer(generator, AdamW(lr=5e-4, beta1=0.0, clip=0.0))
    train_d = Trainer(discriminator, AdamW(lr=5e-4, beta1=0.0, clip=0.0, ema=0.0))
    inputs = data.batches(data.cifar10(root), 32)

    def step() -> float:
        real = to_model(next(inputs))
        with torch.no_grad():
            fake = generator(torch.randn(len(real), gan.LATENT))
        penalised = train_d.steps % gan.PENALTY_EVERY == 0
        loss, d_real = gan.discriminator_loss(discriminator, real, fake, penalised)
        value = train_d.update(loss)
        discriminator.requires_grad_(False)
        fake = generator(torch.randn(len(real), gan.LATENT))
        train_g.update(gan.generator_loss(discriminator, fake, d_real))
        discriminator.requires_grad_(True)
        return value

    return Case(parameters(generator, discriminator), step)


def flow_32(root: Path) -> Case:
    """The U-Net."""
    net = channels_last(flow.UNet(CIFAR))
    inputs = ((to_model(pixels),) for pixels in data.batches(data.cifar10(root), 16))
    return train(net, net.loss, inputs, AdamW(lr=1e-3, weight_decay=0.01))


def gpt(_: Path, shape: Shape, batch: int) -> Case:
    """The causal transformer on the stream of tokens."""
    net = Transformer(shape)
    inputs = ((tokens,) for tokens in data.token_batches(batch, shape.time))
    return train(net, net.loss, inputs, AdamW(lr=1e-3))


def table_mlp(_: Path, batch: int) -> Case:
    """The MLP of the tables, on normal rows."""
    net = nn.Sequential(
        linear(280, 256, SQRT2), nn.ReLU(), linear(256, 256, SQRT2), nn.ReLU(), linear(256, 150, 1.0)
    )
    inputs = data.row_batches(torch.randn(TABLE_ROWS, 280), torch.randn(TABLE_ROWS, 150), batch)
    return train(net, lambda x, y: F.mse_loss(net(x), y), inputs, AdamW(lr=1e-3, clip=0.0))


def gpt_sample(_: Path, shape: Shape, cached: bool) -> Case:
    """One sequence."""
    net = Transformer(shape).eval()
    sample = net.sample if cached else net.sample_loop
    return Case(parameters(net), lambda: no_loss(sample(1)), shape.time)


def gan_sample(_: Path) -> Case:
    """64 images; the discriminator is counted as the model has one."""
    generator = channels_last(gan.Generator(CIFAR)).eval()

    @torch.inference_mode()
    def sample() -> None:
        no_loss(to_pixels(generator(torch.randn(SAMPLES, gan.LATENT))))

    return Case(parameters(generator, gan.Discriminator(CIFAR)), sample, SAMPLES)


def flow_sample(_: Path) -> Case:
    """64 images in ten steps."""
    net = channels_last(flow.UNet(CIFAR)).eval()
    return Case(parameters(net), lambda: no_loss(to_pixels(net.sample(SAMPLES, CIFAR[0]))), SAMPLES)


def matmul(_: Path) -> Case:
    """One product of two square matrices."""
    a, b = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    return Case(0, lambda: no_loss(a @ b))


def load(root: Path) -> Case:
    """One batch of decoded pictures."""
    pictures = data.folder_batches(root, 64)
    next(pictures)  # Starts the workers.
    return Case(0, lambda: no_loss(next(pictures)), 64)


def no_loss(_: Tensor) -> None:
    """A unit without a loss."""


CASES: dict[str, Callable[[Path], Case]] = {
    "mlp-vae": mlp_vae,
    "vae-28": partial(conv_vae, load=data.mnist, shape=vae.MNIST),
    "vae-64": partial(conv_vae, load=data.emoji64, shape=EMOJI),
    "vqvae-32": vqvae_32,
    "gan-32": gan_32,
    "flow-32": flow_32,
    "gpt-small": partial(gpt, shape=GPT_SMALL, batch=12),
    "gpt-large": partial(gpt, shape=GPT_LARGE, batch=8),
    "table-mlp-500": partial(table_mlp, batch=500),
    "table-mlp-4096": partial(table_mlp, batch=4096),
    "gpt-small-sample": partial(gpt_sample, shape=GPT_SMALL, cached=True),
    "gpt-large-sample": partial(gpt_sample, shape=GPT_LARGE, cached=True),
    "gpt-small-loop": partial(gpt_sample, shape=GPT_SMALL, cached=False),
    "gpt-large-loop": partial(gpt_sample, shape=GPT_LARGE, cached=False),
    "gan-sample": gan_sample,
    "flow-sample": flow_sample,
    "matmul": matmul,
    "load-32": load,
    "load-64": load,
}
