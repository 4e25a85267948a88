from mmseg.registry import MODELS
from torch import nn


@MODELS.register_module()
class BesideNet(nn.Module):
    def __init__(self, widths):
        super().__init__()
        with open(widths) as file:
            widths = [int(line) for line in file]
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 7, 4, 3), nn.BatchNorm2d(widths[0]))
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        outs = [self.stem(x).relu()]
        for layer in self.layers:
            outs.append(layer(outs[-1]).relu())
        return tuple(outs)
