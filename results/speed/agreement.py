"""How far the fast network is from the plain one on CamVid: agreement.py <CamVid> <every nth image>."""

import sys
from pathlib import Path

import cv2
import torch

from sacm_mm import accelerate
from sacm_mm.core.configs import load_config
from sacm_mm.apis.models import load_model

model, _ = load_model(load_config('sacm_camvid_light.py', []), 'results/camvid_light/weights.pth')
norm = model.data_preprocessor
images = sorted(Path(sys.argv[1], 'test').iterdir())
fast = {}
worst = {torch.float32: 0.0, torch.bfloat16: 0.0}
equal = {dtype: [] for dtype in worst}
for path in images[:: int(sys.argv[2])]:
    rgb = cv2.imread(str(path))[..., ::-1].copy()
    x = (torch.from_numpy(rgb).permute(2, 0, 1)[None].float() - norm.mean) / norm.std
    with torch.no_grad():
        wanted = model(x)
    for dtype in worst:
        if dtype not in fast:
            fast[dtype] = accelerate(model, x, dtype=dtype)
        found = fast[dtype](x)
        worst[dtype] = max(worst[dtype], float((found - wanted).abs().max() / wanted.abs().max()))
        equal[dtype].append(float((found.argmax(1) == wanted.argmax(1)).float().mean()))
for dtype in worst:
    shares = equal[dtype]
    print(
        f'{dtype}: {len(shares)} images, differs by at most {worst[dtype]:.1e} of the largest logit, '
        f'{100 * sum(shares) / len(shares):.3f} % of the classes equal (worst image '
        f'{100 * min(shares):.2f} %)'
    )
