"""Batch norms over several processes are those of one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from detector.training.norms import SharedBatchNorm, with_shared_norms
from tests.detector.training.test_distributed import torchrun

CPU = torch.device("cpu")
PROGRAM = """
import sys, torch
from torch import nn
from detector.training.distributed import running
from detector.training.norms import with_shared_norms

maps, wanted, cut = torch.load(sys.argv[1])
with running("cpu") as place:
    own = (maps[:cut], maps[cut:])[place.rank].requires_grad_()
    to = (wanted[:cut], wanted[cut:])[place.rank]
    network = with_shared_norms(nn.Sequential(nn.BatchNorm3d(4), nn.Tanh()), place.device)
    for _ in range(2):
        found = network(own)
    ((found - to) ** 2).sum().backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    for gradient in gradients:
        torch.distributed.all_reduce(gradient)
    torch.save((found.detach(), own.grad, gradients, network.state_dict()), f"{sys.argv[1]}.{place.rank}")
"""


@pytest.mark.parametrize("cut", [3, 0], ids=["uneven", "nothing-on-one"])
def test_two_processes_norm_as_one_does(cut: int, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = 100 + 3 * torch.randn(7, 4, 2, 3, 2, generator=generator)
    wanted = torch.randn(maps.shape, generator=generator)
    torch.save((maps, wanted, cut), tmp_path / "given")
    (tmp_path / "program.py").write_text(PROGRAM)
    torchrun(2, str(tmp_path / "program.py"), str(tmp_path / "given"))
    network = nn.Sequential(nn.BatchNorm3d(4), nn.Tanh())
    for _ in range(2):
        whole = network(maps.requires_grad_())
    ((whole - wanted) ** 2).sum().backward()
    ranks = [torch.load(tmp_path / f"given.{rank}") for rank in (0, 1)]
    close = {"atol": 1e-4, "rtol": 1e-4}
    torch.testing.assert_close(torch.cat([rank[0] for rank in ranks]), whole.detach(), **close)
    torch.testing.assert_close(torch.cat([rank[1] for rank in ranks]), maps.grad, **close)
    for _, _, gradients, state in ranks:
        for found, parameter in zip(gradients, network.parameters(), strict=True):
            torch.testing.assert_close(found, parameter.grad, **close)
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(state[name], tensor, **close)


def test_all_norms_of_a_network_are_shared_and_keep_their_names_and_weights() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()))
    before = network.state_dict()
    shared = with_shared_norms(network, CPU)
    assert isinstance(shared[1][0], SharedBatchNorm)  # type: ignore[index]
    assert list(shared.state_dict()) == list(before)
    for name, tensor in shared.state_dict().items():
        assert tensor.data_ptr() == before[name].data_ptr()


def test_what_is_judged_goes_by_the_running_statistics() -> None:
    norm = nn.BatchNorm2d(3)
    norm(torch.randn(5, 3, 2, 2))
    maps = torch.randn(2, 3, 2, 2)
    torch.testing.assert_close(with_shared_norms(norm, CPU).eval()(maps), norm.eval()(maps))


def test_a_norm_without_running_statistics_is_refused() -> None:
    with pytest.raises(ValueError, match="running mean"):
        with_shared_norms(nn.BatchNorm2d(3, track_running_stats=False), CPU)
