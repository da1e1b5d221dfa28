"""VAE, DCGAN and diffusion: sizes as published, their losses by hand, learning, sampling by seed, bad input."""

import math

import numpy as np
import pytest
from image_checks import check_gradient, check_saving, count, overfit

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from models.diffusion import Diffusion, DiffusionConfig, UNet, time_embedding
from models.gan import DCGAN, GANConfig
from models.vae import VAE, VAEConfig, kl_to_standard_normal

PICTURES = np.random.default_rng(0).random((4, 1, 8, 8)).round()  # black and white


def pictures(dtype=mg.float32) -> mg.Tensor:
    return mg.tensor(PICTURES, dtype=dtype)


def vae() -> VAE:
    return VAE(VAEConfig(1, 8, (4, 6), 16, 3))


def gan() -> DCGAN:
    return DCGAN(GANConfig(1, 2, 2, noise=5, width=4))


def diffusion(**changes) -> Diffusion:
    return Diffusion(DiffusionConfig(1, 8, 8, (1, 2), attention_sizes=(4,), groups=4, steps=50, **changes))


def seeded(loss):
    """The loss with the same draws at every call."""

    def run() -> mg.Tensor:
        mg.manual_seed(7)
        return loss()

    return run


def test_vae_gradient_and_learning() -> None:
    model = vae().double()
    check_gradient(model, seeded(lambda: model.loss(pictures(mg.float64))[0]))
    model = vae()
    start = model.loss(pictures())[1].item()
    assert overfit(model, lambda: model.loss(pictures())[0], 250, 0.01) < 0.5 * start


def test_vae_loss_by_hand() -> None:
    mean, log_variance = mg.randn(6, 3, dtype=mg.float64), mg.randn(6, 3, dtype=mg.float64)
    normal = mg.distributions.Normal(mean, (0.5 * log_variance).exp())
    standard = mg.distributions.Normal(mg.zeros_like(mean), mg.ones_like(mean))
    expected = mg.distributions.kl_divergence(normal, standard).sum(1)
    assert kl_to_standard_normal(mean, log_variance).allclose(expected)
    model, x = vae(), pictures()
    mg.manual_seed(3)
    total, reconstruction, kl = model.loss(x)
    mg.manual_seed(3)
    logits, *_ = model(x)
    p = mg.sigmoid(logits).detach().numpy()
    by_hand = -(x.numpy() * np.log(p) + (1 - x.numpy()) * np.log(1 - p)).sum() / 4
    assert reconstruction.item() == pytest.approx(by_hand, rel=1e-5)
    assert total.item() == pytest.approx((reconstruction + kl).item())


def test_dcgan_has_the_size_of_the_published_one() -> None:
    """For 64 x 64 colour pictures: 3,576,704 and 2,765,568, with the names of PyTorch's own example."""
    model = DCGAN(GANConfig(3, 4, 4))
    assert count(model.generator) == 3_576_704 and count(model.discriminator) == 2_765_568
    assert [n for n, _ in model.generator.named_parameters() if n.endswith("weight")] == [
        f"main.{i}.weight" for i in (0, 1, 3, 4, 6, 7, 9, 10, 12)
    ]
    assert [n for n, _ in model.discriminator.named_parameters() if n.endswith("weight")] == [
        f"main.{i}.weight" for i in (0, 2, 3, 5, 6, 8, 9, 11)
    ]
    assert GANConfig(3, 4, 4).image_size == 64 and GANConfig().image_size == 28


def test_dcgan_losses() -> None:
    model, real = gan(), pictures() * 2 - 1
    fake = model.generator(model.draw(4))
    assert fake.shape == real.shape and fake.abs().max() <= 1
    on_real, on_fake = model.discriminator(real), model.discriminator(fake)
    expected = F.binary_cross_entropy_with_logits(on_real, mg.ones(4)) + F.binary_cross_entropy_with_logits(
        on_fake, mg.zeros(4)
    )
    assert model.discriminator_loss(real, fake).item() == pytest.approx(expected.item(), rel=1e-5)
    expected = F.binary_cross_entropy_with_logits(on_fake, mg.ones(4))
    assert model.generator_loss(fake).item() == pytest.approx(expected.item(), rel=1e-5)
    model.discriminator_loss(real, fake).backward()
    assert all(p.grad is None for p in model.generator.parameters())
    assert all(p.grad is not None for p in model.discriminator.parameters())


def test_dcgan_gradients_and_learning() -> None:
    model = gan().double()
    real, noise = pictures(mg.float64) * 2 - 1, model.draw(4)
    check_gradient(model.generator, lambda: model.generator_loss(model.generator(noise)))
    fake = model.generator(noise).detach()
    check_gradient(model.discriminator, lambda: model.discriminator_loss(real, fake))
    assert overfit(model.discriminator, lambda: model.discriminator_loss(real, fake), 60, 0.01) < 0.05
    assert overfit(model.generator, lambda: model.generator_loss(model.generator(noise)), 60, 0.02) < 0.1


def test_the_unet_has_the_size_of_the_published_one() -> None:
    """35.7 million for CIFAR-10, with the names of its PyTorch port."""
    model = UNet(DiffusionConfig(3, 32, 128, (1, 2, 2, 2), 2, (16,), 32))
    assert count(model) == 35_746_307
    names = set(model.state_dict())
    for name in (
        "temb.dense.1.weight", "conv_in.bias", "down.0.block.1.temb_proj.weight", "down.1.block.0.nin_shortcut.weight",
        "down.1.attn.1.proj_out.weight", "down.2.downsample.conv.weight", "mid.attn_1.q.weight",
        "mid.block_2.norm2.bias", "up.1.attn.2.norm.weight", "up.3.upsample.conv.weight", "up.0.block.2.conv2.weight",
        "conv_out.weight",
    ):  # fmt: skip
        assert name in names
    assert not any(name.startswith(("down.3.downsample", "up.0.upsample", "down.0.attn")) for name in names)


def test_diffusion_gradient_and_learning() -> None:
    model = diffusion().double()
    x = pictures(mg.float64) * 2 - 1
    check_gradient(model, seeded(lambda: model.loss(x)))
    model = diffusion()
    assert overfit(model, seeded(lambda: model.loss(x.float())), 100, 0.01) < 0.1  # 1 is what 0 would give


def test_time_embedding() -> None:
    found = time_embedding(mg.tensor([0, 3]), 6)
    angles = 3 * 10000.0 ** -(np.arange(3) / 2)
    assert found[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert np.allclose(found[1].numpy(), np.concatenate([np.sin(angles), np.cos(angles)]), atol=1e-6)


def test_noise_is_added_as_in_the_paper() -> None:
    model = Diffusion(DiffusionConfig(1, 8, 8, (1, 2), attention_sizes=(4,), groups=4))
    assert len(model.signal) == 1001 and model.signal[0] == 1.0
    assert model.signal[1] == pytest.approx(1 - 1e-4) and model.signal[1000] == pytest.approx(4.036e-5, rel=1e-3)
    x, noise = mg.ones(2, 1, 8, 8), mg.full((2, 1, 8, 8), 2.0)
    y = model.noisy(x, mg.tensor([1, 1000]), noise)
    assert y[0, 0, 0, 0].item() == pytest.approx(math.sqrt(1 - 1e-4) + 2 * 1e-2, rel=1e-5)
    assert y[1, 0, 0, 0].item() == pytest.approx(2.0, abs=0.01)


def test_a_network_that_knows_the_noise_gets_the_picture_back() -> None:
    """Whatever the number of steps: with the true noise of one picture, sampling ends at that picture."""
    model = diffusion()
    target = mg.tensor(PICTURES[:1] * 2 - 1, dtype=mg.float32)

    class Knows(nn.Module):
        def forward(self, x: mg.Tensor, t: mg.Tensor) -> mg.Tensor:
            signal = mg.tensor(model.signal)[t + 1].view(-1, 1, 1, 1).float()
            return (x - signal.sqrt() * target) / (1 - signal).sqrt()

    knows = Knows()
    knows.conv_in = model.unet.conv_in
    model.unet = knows
    for steps in (50, 7, 1):
        assert (model.sample(1, steps) - (target / 2 + 0.5)).abs().max() < 1e-4


@pytest.mark.parametrize("make", [vae, gan, diffusion])
def test_samples_follow_the_seed(make) -> None:
    model = make()
    a, b, c = (model.sample(3, generator=mg.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert a.shape == (3, 1, 8, 8) and a.equal(b) and not a.equal(c) and model.training
    assert a.min() >= -1e-6 and a.max() <= 1 + 1e-6 and not a.requires_grad


@pytest.mark.parametrize("make", [vae, gan, diffusion])
def test_saving(make, tmp_path) -> None:
    check_saving(make(), make(), lambda m: m.sample(2, generator=mg.Generator().manual_seed(0)), tmp_path)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected \[0, 1\], got -1 to 1"):
        vae().loss(pictures() * 2 - 1)
    with pytest.raises(ValueError, match=r"expected pixels in \[-1, 1\], got 0 to 2"):
        diffusion().loss(pictures() * 2)
    with pytest.raises(ValueError, match=r"takes noise of shape \(N, 5\), got \(2, 4\)"):
        gan().generator(mg.randn(2, 4))
    for model in (lambda x: vae()(x), gan().discriminator, diffusion().loss):
        with pytest.raises(ValueError, match=r"expected floating images of shape \(N, 1, 8, 8\), got \(2, 1, 8, 9\)"):
            model(mg.zeros(2, 1, 8, 9))
    with pytest.raises(ValueError, match="image_size must be a multiple of 4"):
        VAEConfig(image_size=30)
    with pytest.raises(ValueError, match="image_size must be a multiple of 4"):
        DiffusionConfig(image_size=30)
    with pytest.raises(ValueError, match=r"width \(20\) must be a multiple of groups \(8\)"):
        DiffusionConfig(width=20)
    with pytest.raises(ValueError, match="steps must be from 1 to 50, got 51"):
        diffusion().sample(1, steps=51)
    with pytest.raises(ValueError, match="doublings must be at least 1"):
        DCGAN(GANConfig(doublings=0))
