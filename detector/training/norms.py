"""Batch norms whose statistics are those of the whole batch, over however many processes it is spread.

``nn.SyncBatchNorm`` does so between GPUs, and knows nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm


def with_shared_norms(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with its batch norms replaced, weights and statistics being the same tensors.

    In training they wait for all ranks: each must have as many batches as the others, an empty one maybe.
    """
    if device.type == "cuda":
        shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return shared
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, SharedBatchNorm(child))
    return SharedBatchNorm(network) if isinstance(network, _BatchNorm) else network


class SharedBatchNorm(nn.Module):
    """As ``of`` over all ranks' rows together: [n of this rank, channels, ...] -> the same shape.

    With a running mean and weights, as batch norms are unless told otherwise.
    """

    def __init__(self, of: _BatchNorm) -> None:
        super().__init__()
        if of.running_mean is None or not of.affine or of.momentum is None:
            raise ValueError(f"found {of}, expected weights, a running mean and its momentum")
        self.eps, self.momentum = of.eps, of.momentum
        self.weight, self.bias = of.weight, of.bias
        self.running_mean: Tensor
        self.running_var: Tensor
        self.num_batches_tracked: Tensor
        for name, buffer in of.named_buffers():
            self.register_buffer(name, buffer)

    def forward(self, maps: Tensor) -> Tensor:
        if not self.training:
            return batch_norm(maps, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        over = [0, *range(2, maps.ndim)]
        shape = [1, -1] + [1] * (maps.ndim - 2)
        values = maps.float()
        own = values.new_tensor([values.numel() // values.shape[1]])
        sums = _summed(torch.cat([values.sum(over), own]))
        count = sums[-1].detach().clamp(min=1)  # not one row on any rank: nothing is normed
        mean = sums[:-1] / count
        centred = values - mean.view(shape)
        # Two passes, as one process has them: a mean of squares less a squared mean would lose digits.
        variance = _summed(centred.square().sum(over)) / count
        self._keep(mean.detach(), variance.detach(), count)
        scale = self.weight * (variance + self.eps).rsqrt()
        normed: Tensor = centred * scale.view(shape) + self.bias.view(shape)
        return normed.to(maps.dtype)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        unbiased = variance * count / (count - 1).clamp(min=1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked += 1


class _Summed(torch.autograd.Function):
    """The sum over all ranks; its gradient is the sum of what all ranks make of it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        whole = own.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        whole = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole


def _summed(own: Tensor) -> Tensor:
    summed: Tensor = _Summed.apply(own)  # type: ignore[no-untyped-call]
    return summed
