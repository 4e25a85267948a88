"""Depthwise convolution whose weight gradient is fast on CPUs.

PyTorch computes the weight gradient of a depthwise convolution an order of magnitude slower than
its forward pass on CPUs. The same gradient is a grouped convolution of the input with the output's
gradient as its kernels: every (sample, channel) plane is one group. The forward pass and the
input's gradient are PyTorch's own.

That holds for contiguous maps and large kernels. Measured on one core of an AMD EPYC (Zen 4) with
PyTorch 2.15, forward and backward in float32, PyTorch's way and ours: 123 and 65 ms for k = 5 at
(4, 256, 64, 64); but 1.7 and 2.3 ms for k = 3 at (8, 256, 14, 14), and with channels-last maps
PyTorch is the faster one throughout (2.8 and 8.8 ms there). Those are left to it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LAST = torch.channels_last
_LARGE = 5  # kernels from this width on have our weight gradient


@torch.library.custom_op('sacm_mm::depthwise_conv2d', mutates_args=())
def _depthwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=x.shape[1])


@_depthwise.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=x.shape[1])


@torch.library.custom_op('sacm_mm::depthwise_conv2d_weight_grad', mutates_args=())
def _weight_grad(x: Tensor, grad: Tensor, kernel: int) -> Tensor:
    n, c, h, w = x.shape
    planes = F.conv2d(
        x.reshape(1, n * c, h, w),
        grad.reshape(n * c, 1, h, w),
        padding=kernel // 2,
        groups=n * c,
    )  # (1, N * C, k, k)
    # Low-precision planes are summed over the batch in float32, as PyTorch's own kernel does.
    total = planes.view(n, c, 1, kernel, kernel).sum(
        0, dtype=torch.float64 if x.dtype == torch.float64 else torch.float32
    )
    return total.to(x.dtype)


@_weight_grad.register_fake
def _(x: Tensor, grad: Tensor, kernel: int) -> Tensor:
    return x.new_empty(x.shape[1], 1, kernel, kernel)


def _setup_context(ctx, inputs, output) -> None:
    x, weight, bias = inputs
    ctx.save_for_backward(x, weight)
    ctx.has_bias = bias is not None


def _backward(ctx, grad: Tensor):
    x, weight = ctx.saved_tensors
    kernel = weight.shape[-1]
    grad = grad.contiguous()
    grad_x = grad_weight = grad_bias = None
    if ctx.needs_input_grad[0]:
        # A stride-1 'same' convolution with an odd kernel is transposed by flipping that kernel.
        grad_x = F.conv2d(grad, weight.flip(2, 3), padding=kernel // 2, groups=x.shape[1])
    if ctx.needs_input_grad[1]:
        grad_weight = _weight_grad(x.contiguous(), grad, kernel)
    if ctx.has_bias and ctx.needs_input_grad[2]:
        grad_bias = grad.sum((0, 2, 3))
    return grad_x, grad_weight, grad_bias


_depthwise.register_autograd(_backward, setup_context=_setup_context)
_depthwise.register_autocast('cpu', torch.bfloat16)


def depthwise_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, dilation: int = 1
) -> Tensor:
    """Convolve every channel with its own odd kernel, stride 1, 'same' zero padding.

    (N, C, H, W), (C, 1, k, k), (C,) -> (N, C, H, W). The result equals ``F.conv2d``'s; only the way
    it is computed in training on a CPU differs.
    """
    training = weight.requires_grad and torch.is_grad_enabled()
    # what reads a trace, such as the hosts' count of FLOPs, knows PyTorch's operators alone
    training &= not (torch.jit.is_tracing() or torch.compiler.is_exporting())
    if training and dilation > 1 and x.is_cuda and x.is_contiguous(memory_format=_LAST):
        return _of_interleaved(x, weight, bias, dilation)
    if training and x.device.type == 'cpu' and x.is_contiguous():
        if dilation > 1:
            return _of_interleaved(x, weight, bias, dilation)
        if weight.shape[-1] >= _LARGE:
            return _depthwise(x, weight, bias)
    padding = dilation * (weight.shape[-1] // 2)
    return F.conv2d(x, weight, bias, padding=padding, dilation=dilation, groups=x.shape[1])


def _of_interleaved(x: Tensor, weight: Tensor, bias: Tensor | None, d: int) -> Tensor:
    """Convolve with a dilation d: d * d interleaved maps, each with the kernel as it is.

    PyTorch takes 2 to 10 times as long for dilated kernels on a CPU, forwards and backwards, and
    10 times for channels-last maps on a GPU.
    """
    n, c, h, w = x.shape
    last = not x.is_contiguous()
    if h % d or w % d:  # the zeros that the convolution would read there
        x = F.pad(x, (0, -w % d, 0, -h % d))
    x = x.unflatten(3, (-1, d)).unflatten(2, (-1, d))  # (N, C, H / d, d, W / d, d)
    rows, columns = x.shape[2], x.shape[4]
    if last:
        x = x.permute(0, 3, 5, 2, 4, 1).reshape(n * d * d, rows, columns, c).permute(0, 3, 1, 2)
        y = depthwise_conv2d(x, weight, bias).permute(0, 2, 3, 1)
        y = y.reshape(n, d, d, rows, columns, c).permute(0, 3, 1, 4, 2, 5)
        y = y.reshape(n, rows * d, columns * d, c).permute(0, 3, 1, 2)
        return y[:, :, :h, :w]
    x = x.permute(0, 3, 5, 1, 2, 4).reshape(n * d * d, c, rows, columns)
    x = depthwise_conv2d(x, weight, bias)
    x = x.view(n, d, d, c, rows, columns).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c, rows * d, columns * d)[:, :, :h, :w]


class DepthwiseConv2d(nn.Conv2d):
    """``nn.Conv2d`` with one odd k x k kernel a channel; parameters and state dict are the same.

    (N, C, H, W) -> (N, C, H, W).

    Args:
        channels: Channels C of the input and the output.
        kernel_size: Odd width k of the square kernels.
        bias: Whether each channel has a bias.
        dilation: Distance in pixels of the values that a kernel reads.
    """

    def __init__(
        self, channels: int, kernel_size: int, bias: bool = True, dilation: int = 1
    ) -> None:
        super().__init__(
            channels,
            channels,
            kernel_size,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            groups=channels,
            bias=bias,
        )

    def forward(self, x: Tensor) -> Tensor:
        return depthwise_conv2d(x, self.weight, self.bias, self.dilation[0])
