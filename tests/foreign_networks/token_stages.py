from torch import nn


class TokenStages(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.embeds = nn.ModuleList(
            [nn.Conv2d(3, dims[0], 7, 8, 3), nn.Conv2d(dims[0], dims[1], 3, 2, 1)]
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for dim in dims)

    def forward(self, x):
        outs = ()
        for embed, norm in zip(self.embeds, self.norms):
            x = embed(x)
            n, c, h, w = x.shape
            tokens = norm(x.flatten(2).transpose(1, 2))
            outs += (tokens,)
            x = tokens.transpose(1, 2).reshape(n, c, h, w)
        return outs


def token_stages_tiny(pretrained=False, **kwargs):
    if pretrained:
        import urllib.request

        urllib.request.urlopen('https://weights.example.org/token_stages_tiny.pth')
    return TokenStages(dims=[16, 32], **kwargs)
