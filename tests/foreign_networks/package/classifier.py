from foreign_ops.routing import Routing
from torch import nn

from ._common import block


class Classifier(nn.Module):
    def __init__(self, embed_dim=(8, 16, 24, 32), num_classes=1000):
        super().__init__()
        dims = [3, *embed_dim]
        self.downsample_layers = nn.ModuleList(
            block(dims[i], dims[i + 1], 4 if i == 0 else 2) for i in range(4)
        )
        self.stages = nn.ModuleList(Routing(dim) for dim in embed_dim)
        self.norm = nn.LayerNorm(embed_dim[-1])
        self.head = nn.Linear(embed_dim[-1], num_classes)

    def forward(self, x):
        for downsample, stage in zip(self.downsample_layers, self.stages):
            x = stage(downsample(x))
        return self.head(self.norm(x.mean([-2, -1])))
