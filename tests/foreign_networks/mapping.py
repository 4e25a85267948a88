from collections import OrderedDict

from torch import nn


class DictNet(nn.Module):
    def __init__(self, width: int, num_classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.down = nn.Conv2d(width, 2 * width, 2, 2)
        self.deep = nn.Conv2d(2 * width, 4 * width, 2, 2)
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, x):
        res2 = self.stem(x).relu()
        res3 = self.down(res2).relu()
        res4 = self.deep(res3).relu()
        logits = self.head(res4.mean((2, 3)))
        return OrderedDict(res4=res4, res3=res3, logits=logits, res2=res2)
