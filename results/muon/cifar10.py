"""Train SA-ConvMixer 128/8/5/2 on CIFAR-10 at 20x20 for 300 steps; test on 5000 held-out images.

python results/muon/cifar10.py Muon 0.01    # or AdamW 0.02
"""

import os
import sys

import torch
import torch.nn.functional as F
from torch import nn

import sacm_mm
from sacm_mm.datasets import CIFAR10Dataset
from sacm_mm.engine import Muon
from sacm_mm.engine.whiten_stem import whitening
from sacm_mm.models.batch_augment import BatchAugment

STEPS, BATCH, SIZE, TRAIN, RISE = 300, 256, 20, 45000, 0.3
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
AUGMENT = BatchAugment(
    (SIZE, SIZE), zoom=(SIZE / 32 * 0.85, SIZE / 32 * 1.2), stretch=1.1, degree=5.0,
    brightness=0.1, contrast=0.2, saturation=0.2, hue=5.0,
)  # fmt: skip


class Unlabelled:
    """A sample that holds nothing to augment beside its picture."""

    def items(self):
        return ()

    def get(self, key):
        return None

    def __contains__(self, key):
        return False

    def set_metainfo(self, meta):
        pass


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = sacm_mm.SAConvMixer(arch='d128-l8-k5-p2')
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.backbone(x)[-1].mean((2, 3)))


def pictures():
    root = f'{os.environ.get("SACM_DATA", "data")}/cifar10'
    data = CIFAR10Dataset(root, pipeline=[dict(type='mmpretrain.PackInputs')])
    samples = [data[i] for i in range(len(data))]
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([int(sample['data_samples'].gt_label) for sample in samples])
    return torch.stack([s['inputs'] for s in samples])[order].flip(1), labels[order]


def augmented(images):
    return (AUGMENT(images, [Unlabelled()] * len(images), MEAN) - MEAN) / STD


def main(kind, lr):
    torch.manual_seed(0)
    images, labels = pictures()
    network = Network()
    weight, bias = whitening(augmented(images[:1000]), 2, 128)
    stem = network.backbone.stem.proj
    with torch.no_grad():
        stem.weight.copy_(weight.view_as(stem.weight))
        stem.bias.copy_(bias)
    sacm_mm.accelerate(network, training=True)
    options = dict(weight_decay=1e-2) if kind == 'Muon' else dict(weight_decay=5e-3, fused=True)
    optimizer = {'Muon': Muon, 'AdamW': torch.optim.AdamW}[kind](
        network.parameters(), lr=lr, **options
    )
    order, at, average = torch.randperm(TRAIN), 0, None
    for step in range(STEPS):
        share = step / STEPS
        rate = max(share / RISE if share < RISE else (1 - share) / (1 - RISE), 0.01)
        optimizer.param_groups[0]['lr'] = lr * rate
        if at + BATCH > TRAIN:
            order, at = torch.randperm(TRAIN), 0
        chosen = order[at : at + BATCH]
        at += BATCH
        loss = F.cross_entropy(
            network(augmented(images[chosen])), labels[chosen], label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average = loss.item() if average is None else 0.95 * average + 0.05 * loss.item()
        if step % 100 == 99:
            print(step + 1, round(average, 4), flush=True)
    network.eval()
    right = 0
    with torch.no_grad():
        for at in range(TRAIN, len(images), 500):
            x = F.interpolate((images[at : at + 500] - MEAN) / STD, size=SIZE, mode='bilinear')
            right += (network(x).argmax(1) == labels[at : at + 500]).sum().item()
    print(f'{kind} {lr}: {right / 50:.2f} % of {len(images) - TRAIN}')


if __name__ == '__main__':
    main(sys.argv[1], float(sys.argv[2]))
