import torch
from torch import nn


class FourStages(nn.Module):
    def __init__(self, dim=8, drop_path_rate=0.1):
        super().__init__()
        rates = [x.item() for x in torch.linspace(0, drop_path_rate, 4)]
        print('drop path rates:', rates)
        scale = (torch.ones(1) / 2).item()
        assert scale == 0.5
        self.stages = nn.ModuleList()
        channels = 3
        for i in range(4):
            stride = 4 if i == 0 else 2
            self.stages.append(
                nn.Sequential(
                    nn.Conv2d(channels, dim * 2**i, 3, stride, 1),
                    nn.BatchNorm2d(dim * 2**i),
                    nn.ReLU(inplace=True),
                    nn.Dropout(rates[i]),
                )
            )
            channels = dim * 2**i

    def init_weights(self, pretrained):
        raise RuntimeError('the hosts are not to call this')

    def forward(self, x):
        outs = []
        for stage in self.stages:
            x = stage(x)
            outs.append(x)
        return outs
