import math

import torch
from torch import nn


class ClassTokens(nn.Module):
    def __init__(self, embed_dim=16, depth=2, num_heads=2):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.patch_embed = nn.Conv2d(3, embed_dim, 16, 16)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(embed_dim, num_heads, 2 * embed_dim, batch_first=True)
            for _ in range(depth)
        )
        self.dwconv = nn.Conv2d(embed_dim, embed_dim, 3, padding=1, groups=embed_dim)
        self.norm = nn.LayerNorm(embed_dim)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
            side = int(math.sqrt(x.shape[1] - 1))
            cls, patches = x[:, :1], x[:, 1:]
            patches = patches.transpose(1, 2).reshape(len(x), -1, side, side)
            x = torch.cat([cls, self.dwconv(patches).flatten(2).transpose(1, 2)], 1)
        return self.norm(x)
