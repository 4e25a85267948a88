from torch import nn


class OneMap(nn.Module):
    def __init__(self, dim=16, patch=12):
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(3 * patch**2, dim)
        self.mix = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, x):
        n, c, h, w = x.shape
        p = self.patch
        assert h % p == 0 and w % p == 0, f'{h}x{w} is no multiple of {p}'
        x = x.view(n, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5).flatten(3)
        return self.mix(self.embed(x).permute(0, 3, 1, 2).contiguous())
