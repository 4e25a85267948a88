from torch import nn


class WindowNet(nn.Module):
    """Maps (N, h, w, C)."""

    def __init__(self, dim=8, window=2):
        super().__init__()
        self.window = window
        self.embed = nn.Conv2d(3, dim, 4, 4)
        self.merges = nn.ModuleList(nn.Linear(4 * dim * 2**i, dim * 2 ** (i + 1)) for i in range(2))
        self.attn = nn.ModuleList(nn.Linear(dim * 2**i, dim * 2**i) for i in range(3))

    def _windows(self, x, layer):
        n, h, w, c = x.shape
        s = self.window
        x = x.view(n, h // s, s, w // s, s, c)
        return (x + layer(x.mean((2, 4), keepdim=True))).reshape(n, h, w, c)

    def forward(self, x):
        x = self.embed(x).permute(0, 2, 3, 1)
        outs = [self._windows(x, self.attn[0])]
        for merge, attn in zip(self.merges, list(self.attn)[1:]):
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).flatten(3)
            x = self._windows(merge(x), attn)
            outs.append(x)
        return outs
