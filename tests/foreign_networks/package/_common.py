from torch import nn


def block(channels, dim, stride):
    return nn.Sequential(nn.Conv2d(channels, dim, 3, stride, 1), nn.BatchNorm2d(dim), nn.GELU())
