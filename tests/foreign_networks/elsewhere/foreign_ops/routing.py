from torch import nn


class Routing(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        return x + self.proj(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
