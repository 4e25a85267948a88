"""What a training step of ConvMLP-S gains: python results/speed/convmlp.py [THREADS]."""

import sys

import torch
from torch import nn

from sacm_mm import ConvMLP
from sacm_mm.benchmark.measure import interleave
from sacm_mm.models.depthwise import DepthwiseConv2d
from sacm_mm.core.machine import stamp


class Contiguous(nn.Conv2d):
    """PyTorch's convolution on channels-first maps."""

    def forward(self, x):
        return super().forward(x.contiguous())


def with_depthwise(make):
    model = ConvMLP('s').train()
    for module in model.modules():
        if isinstance(getattr(module, 'connect', None), DepthwiseConv2d):
            module.connect = make(module.connect.in_channels)
    return model


def step(model, dtype):
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def run():
        with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
            loss = sum(x.float().square().mean() for x in model(image))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else torch.get_num_threads())
torch.manual_seed(0)
image = torch.randn(8, 3, 224, 224)
first_layout = ConvMLP('s').train()
first_layout.tokenizer.register_forward_pre_hook(lambda _, x: (x[0].contiguous(),))
steps = {
    'nn.Conv2d, channels first': step(
        with_depthwise(lambda c: Contiguous(c, c, 3, padding=1, groups=c, bias=False)), torch.float32
    ),
    'DepthwiseConv2d, first stages channels first': step(first_layout, torch.float32),
    'ours: DepthwiseConv2d, channels last': step(ConvMLP('s').train(), torch.float32),
    'no depthwise convolution at all': step(with_depthwise(lambda c: nn.Identity()), torch.float32),
    'ours, bfloat16 (--fast)': step(ConvMLP('s').train(), torch.bfloat16),
}
print(stamp())
timings = interleave(steps, 7)
first = next(iter(timings.values())).median
for name, t in timings.items():
    print(f'{name:45} {t.median * 1e3:7.0f} ms ({t.lower * 1e3:.0f} to {t.upper * 1e3:.0f})  '
          f'x{first / t.median:.2f}')  # fmt: skip
