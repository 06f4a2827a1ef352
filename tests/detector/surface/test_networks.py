"""The builder of surface networks: published sizes, weights that fit, and answers that say where."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from detector.model.encoder import SqueezeNetTrunk, initialise
from detector.surface.networks import (
    DEFAULT_TYPE,
    MODEL_TYPES,
    SurfaceNetwork,
    build,
    parameters,
    parameters_as_published,
    takes_trunk,
)
from ingest.errors import UsageError

CLASSES = 6
SHUFFLENET_TRUNK = 1_253_604
"""ShuffleNetV2 x1.0 has 2,278,604 parameters for 1000 classes; its last layer has 1,025 a class."""
ATTENDING = [name for name in MODEL_TYPES if name.startswith("MSA")]


def pictures(count: int = 1, height: int = 96, width: int = 96) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(5)) * 58


def trunk_weights(seed: int = 3) -> dict[str, Tensor]:
    trunk = SqueezeNetTrunk()
    initialise(trunk, seed)
    return dict(trunk.state_dict())


def opened(network: SurfaceNetwork) -> SurfaceNetwork:
    """With a gamma as after some training."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.5)
    return network


@pytest.mark.parametrize("model_type", ["MSA_Addition_Pool35", "MSA_Addition_Pool53"])
def test_the_parameters_are_as_many_as_published(model_type: str) -> None:
    network = build(model_type, CLASSES)
    assert parameters(network) == 943_513
    assert parameters_as_published(network) == 1_456_513
    assert parameters_as_published(network) == pytest.approx(1.456e6, rel=0.01)


def test_the_baselines_are_as_large_as_their_papers_say() -> None:
    assert parameters(build("SqueezeNet", 1000)) == 1_235_496
    assert parameters(build("ShuffleNetV2", 1000)) == SHUFFLENET_TRUNK + 1000 * 1025
    assert parameters_as_published(build("SqueezeNet", CLASSES)) == 722_496 + CLASSES * 513


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_every_type_says_class_place_and_embedding(model_type: str) -> None:
    network = opened(build(model_type, CLASSES)).eval()
    with torch.inference_mode():
        said = network.judge(pictures(1, 224, 224))
        assert torch.equal(network(pictures(1, 224, 224)), said.logits)
    side, width = (7, 1024) if model_type == "ShuffleNetV2" else (13, 512)
    assert said.logits.shape == (1, CLASSES)
    assert said.cells.shape == (1, CLASSES, side, side)
    assert said.embedding.shape == (1, width) == (1, network.width)
    assert torch.allclose(said.cells.mean((2, 3)), said.logits, atol=1e-5)
    assert said.logits.isfinite().all()


def test_at_first_the_answer_is_the_plain_trunks() -> None:
    """Gamma is 0: pooled features of the trunk, and the linear layer of them."""
    weights = trunk_weights()
    network = build(DEFAULT_TYPE, CLASSES, weights).eval()
    trunk = SqueezeNetTrunk()
    trunk.load_state_dict(weights)
    with torch.no_grad():
        said = network.judge(pictures(2, 224, 224))
        plain = trunk(pictures(2, 224, 224)).mean((2, 3))
    assert torch.allclose(said.embedding, plain, rtol=1e-4, atol=1e-4)
    weight, bias = network.head.get_parameter("weight"), network.head.get_parameter("bias")
    assert torch.allclose(said.logits, plain @ weight[:, :, 0, 0].T + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(200, 200), (256, 256), (240, 320), (32, 32)])
@pytest.mark.parametrize("model_type", [DEFAULT_TYPE, "SqueezeNet", "ShuffleNetV2"])
def test_other_sizes_than_224_are_judged(model_type: str, shape: tuple[int, int]) -> None:
    network = opened(build(model_type, CLASSES)).eval()
    with torch.inference_mode():
        said = network.judge(pictures(1, *shape))
    assert said.logits.shape == (1, CLASSES)
    assert said.logits.isfinite().all()
    if model_type == DEFAULT_TYPE:
        assert said.cells.shape[2:] == (13, 13)


def test_a_picture_too_small_to_judge_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found pictures of \(31, 64\) px, expected 32 or more"):
        build(DEFAULT_TYPE, CLASSES)(pictures(1, 31, 64))


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_gradients_reach_every_parameter(model_type: str) -> None:
    network = opened(build(model_type, CLASSES)).train()
    head = network.head
    if isinstance(head, nn.Sequential):  # its ReLU would silence a class whose first logits are all below 0
        nn.init.constant_(head[1].get_parameter("bias"), 1.0)
    loss = nn.functional.cross_entropy(network(pictures(4)), torch.arange(4))
    loss.backward()
    silent = [name for name, each in network.named_parameters() if each.grad is None or not each.grad.any()]
    # The key's bias adds the same to all scores of a row, which is nothing to softmax.
    assert set(silent) <= {"backbone.attention.key.bias"}


def test_a_seed_gives_the_same_network_and_torchs_randomness_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        build(DEFAULT_TYPE, 3, seed=1),
        build(DEFAULT_TYPE, 3, seed=1),
        build(DEFAULT_TYPE, 3),
    )
    assert torch.equal(before, torch.random.get_rng_state())
    weights, others = again.state_dict(), other.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in first.state_dict().items())
    assert not torch.equal(weights["head.weight"], others["head.weight"])
    assert not torch.equal(
        weights["backbone.trunk.features.0.weight"], others["backbone.trunk.features.0.weight"]
    )


def test_pool35_and_pool53_exchange_their_weights() -> None:
    first, second = opened(build("MSA_Addition_Pool35", 3)).eval(), build("MSA_Addition_Pool53", 3).eval()
    with torch.inference_mode():
        said = first(pictures())
        assert not torch.allclose(second(pictures()), said, atol=1e-3)
        second.load_state_dict(first.state_dict())
        assert torch.allclose(second(pictures()), said, atol=1e-6)


@pytest.mark.parametrize("model_type", [DEFAULT_TYPE, "SqueezeNet"])
def test_the_trunks_weights_are_taken_and_a_classifier_in_them_passed_over(model_type: str) -> None:
    weights = trunk_weights() | {"classifier.1.weight": torch.zeros(1000, 512, 1, 1)}
    network = build(model_type, CLASSES, weights)
    taken = [
        tensor
        for name, tensor in network.state_dict().items()
        if name.endswith("features.12.expand3x3.weight")
    ]
    assert torch.equal(taken[0], weights["features.12.expand3x3.weight"])


def test_weights_that_do_not_fit_are_told_by_name() -> None:
    weights = trunk_weights()
    with pytest.raises(UsageError, match=r"do not fit at features\.3\.squeeze\.bias \(1 in all\)"):
        build(
            DEFAULT_TYPE,
            2,
            {name: each for name, each in weights.items() if name != "features.3.squeeze.bias"},
        )
    with pytest.raises(UsageError, match=r"features\.0\.weight"):
        build(DEFAULT_TYPE, 2, weights | {"features.0.weight": torch.zeros(64, 1, 3, 3)})
    with pytest.raises(UsageError, match=r"features\.13\.weight"):
        build(DEFAULT_TYPE, 2, weights | {"features.13.weight": torch.zeros(1)})


def test_what_cannot_be_built_says_what_can() -> None:
    with pytest.raises(
        UsageError, match=r"found the model type 'ResNet18', expected one of: MSA_Addition_Pool35, .*Shuffle"
    ):
        build("ResNet18", 2)
    with pytest.raises(UsageError, match="found 1 classes, expected 2 or more"):
        build(DEFAULT_TYPE, 1)
    with pytest.raises(UsageError, match="another trunk"):
        build("ShuffleNetV2", 2, trunk_weights())
    assert [name for name in MODEL_TYPES if not takes_trunk(name)] == ["ShuffleNetV2"]


def test_an_untrained_network_begins_with_answers_of_moderate_size() -> None:
    """Else the first losses are hundreds, and Adam needs epochs to come back from them."""
    for model_type in MODEL_TYPES:
        with torch.inference_mode():
            assert build(model_type, CLASSES).eval()(pictures(2)).abs().max() < 5
