"""Hostile files that are not pictures: exports, HDF5, safetensors, YAML, JSON, XML, archives."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torture.bench import TASKS

# writes files of a folder, which want to make a folder and to read a secret
Write = Callable[[Path, Path, Path], None]
Case = tuple[str, Write, Sequence[object]]


class _Makes:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.folder,)


def files(stock: Path) -> Iterator[Case]:
    """Yield what is written, and the command that is to read it."""
    yield from _weights()
    yield from _exports(stock)
    yield from _hdf5(stock)
    yield from _texts(stock)
    cifar = TASKS['classification']
    yield (
        'a CIFAR-10 batch that runs code', _cifar,
        cifar.train('w', train_dataloader__dataset__data_root='cifar',
                    val_dataloader__dataset__data_root='cifar'),
    )  # fmt: skip


def _weights() -> Iterator[Case]:
    def packed(folder: Path, canary: Path, secret: Path) -> None:
        import torch

        torch.save({'state_dict': {'a': torch.zeros(500_000_000)}}, folder / 'plain.pth')
        with (
            zipfile.ZipFile(folder / 'plain.pth') as plain,
            zipfile.ZipFile(folder / 'a.pth', 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        ):
            for entry in plain.infolist():
                with plain.open(entry) as source, file.open(entry.filename, 'w') as out:
                    while block := source.read(2**24):
                        out.write(block)
        (folder / 'plain.pth').unlink()

    def expanded(folder: Path, canary: Path, secret: Path) -> None:
        import torch

        torch.save({'state_dict': {'a': torch.zeros(1).expand(2**34)}}, folder / 'a.pth')

    def header(length: int, text: bytes) -> Write:
        def write(folder: Path, canary: Path, secret: Path) -> None:
            (folder / 'a.safetensors').write_bytes(struct.pack('<Q', length) + text + bytes(64))

        return write

    def pickled(folder: Path, canary: Path, secret: Path) -> None:
        (folder / 'a.safetensors').write_bytes(pickle.dumps(_Makes(canary)))

    task = TASKS['segmentation']
    test = ['test', task.config, 'a.pth', '--work-dir', 'w', *task.cfg_options()]
    safe = ['convert', 'a.safetensors', 'b.pth']
    yield 'a .pth that unpacks to 2 GB', packed, test
    yield 'a .pth whose tensor says that it is 64 GB', expanded, test
    yield 'the same, converted', expanded, ['convert', 'a.pth', 'b.pth']
    yield 'safetensors with a header of 2^60 bytes', header(2**60, b'{}'), safe
    yield 'safetensors with a header that lies', header(64, b'{"a":{"dtype":"F32","shape":'
          b'[1099511627776],"data_offsets":[0,4398046511104]}}'), safe  # fmt: skip
    yield 'safetensors that is a pickle', pickled, safe


def _exports(stock: Path) -> Iterator[Case]:
    def pt2(folder: Path, canary: Path, secret: Path) -> None:
        with zipfile.ZipFile(folder / 'm.pt2', 'w') as file:
            for name in ('m/data.pkl', 'm/version', 'data/weights/model.pt'):
                file.writestr(name, pickle.dumps(_Makes(canary)))

    def onnx_of(change: Callable) -> Write:
        def write(folder: Path, canary: Path, secret: Path) -> None:
            import onnx
            from onnx import TensorProto, helper

            tensor = helper.make_tensor('w', TensorProto.FLOAT, [1000], bytes(4000), raw=True)
            node = helper.make_node('Add', ['x', 'w'], ['y'])
            values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1000]) for n in 'xy']
            graph = helper.make_graph([node], 'g', values[:1], values[1:], [tensor])
            model = helper.make_model(graph)
            change(model, folder, canary, secret)
            onnx.save(model, folder / 'm.onnx')

        return write

    def elsewhere(model: object, folder: Path, canary: Path, secret: Path) -> None:
        from onnx import TensorProto

        tensor = model.graph.initializer[0]  # type: ignore[attr-defined]
        tensor.ClearField('raw_data')
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key='location', value='../secret.bin')

    def huge(model: object, folder: Path, canary: Path, secret: Path) -> None:
        model.graph.initializer[0].dims[0] = 2**40  # type: ignore[attr-defined]

    def config(model: object, folder: Path, canary: Path, secret: Path) -> None:
        evil = folder.parent / 'evil.py'
        evil.write_text(f'_base_ = []\nmodel = __import__("os").mkdir({str(canary)!r})\n')
        meta = {'config': str(evil), 'end_to_end': False}
        model.metadata_props.add(key='sacm_mm', value=json.dumps(meta))  # type: ignore

    def nested(model: object, folder: Path, canary: Path, secret: Path) -> None:
        model.metadata_props.add(key='sacm_mm', value='[' * 100_000)  # type: ignore[attr-defined]

    photos, task = stock / 'photos', TASKS['segmentation'].config
    beside = ['predict', photos, task, 'm.onnx', '--out', 'o']
    yield 'a .pt2 that runs code', pt2, ['predict', photos, task, 'm.pt2', '--out', 'o']
    yield 'a .pt2 that runs code, tested', pt2, ['test', task, 'm.pt2', '--work-dir', 'w']
    yield 'an ONNX file with weights elsewhere', onnx_of(elsewhere), beside
    yield 'the same in OpenVINO', onnx_of(elsewhere), [*beside, '--runtime', 'openvino']
    yield 'an ONNX file that says it is 4 TB', onnx_of(huge), beside
    yield 'an ONNX file that names a config', onnx_of(config), [
        'predict', photos, 'm.onnx', '--out', 'o']  # fmt: skip
    yield 'an ONNX file with notes nested 100 000 deep', onnx_of(nested), beside


def _hdf5(stock: Path) -> Iterator[Case]:
    def keras(change: Callable) -> Write:
        def write(folder: Path, canary: Path, secret: Path) -> None:
            import h5py

            with h5py.File(folder / 'a.h5', 'w') as file:
                file.attrs['layer_names'] = ['conv2d']
                change(file, secret)

        return write

    def external(file: object, secret: Path) -> None:
        file.create_group('conv2d').create_dataset(  # type: ignore[attr-defined]
            'kernel:0', shape=(1000,), dtype='f4', external=[(str(secret), 0, 4000)]
        )

    def linked(file: object, secret: Path) -> None:
        import h5py

        file['conv2d'] = h5py.ExternalLink(str(secret), 'conv2d')  # type: ignore[index]

    def round_trip(file: object, secret: Path) -> None:
        import h5py

        file['conv2d'] = h5py.SoftLink('/conv2d')  # type: ignore[index]

    def virtual(file: object, secret: Path) -> None:
        import h5py

        layout = h5py.VirtualLayout((1000,), 'f4')
        layout[:] = h5py.VirtualSource(str(secret), 'data', (1000,))
        file.create_group('conv2d').create_virtual_dataset(  # type: ignore[attr-defined]
            'kernel:0', layout
        )

    def declared(file: object, secret: Path) -> None:
        file.create_group('conv2d').create_dataset(  # type: ignore[attr-defined]
            'kernel:0', shape=(2**40,), dtype='f4', chunks=(2**20,), compression='gzip'
        )

    for name, change in (
        ('storage elsewhere', external), ('a link elsewhere', linked), ('a link to itself',
        round_trip), ('a virtual data set', virtual), ('4 TB declared', declared),
    ):  # fmt: skip
        yield f'Keras weights with {name}', keras(change), ['convert', 'a.h5', 'b.pth']

    def nyu(folder: Path, canary: Path, secret: Path) -> None:
        import h5py

        with h5py.File(folder / 'a.h5', 'w') as file:
            shape = (6, 3, 8, 8)
            file.create_dataset('images', shape, 'u1', external=[(str(secret), 0, 6 * 3 * 64)])
            file['depths'], file['labels'] = [[[1.0] * 8] * 8] * 6, [[[1] * 8] * 8] * 6

    yield 'NYU with pictures elsewhere', nyu, [
        'prepare', 'nyu', 'a.h5', '--splits', stock / 'splits.mat', '--out', 'd']  # fmt: skip


def _texts(stock: Path) -> Iterator[Case]:
    def write(name: str, text: Callable[[Path, Path], str]) -> Write:
        def written(folder: Path, canary: Path, secret: Path) -> None:
            (folder / 'd').mkdir()
            for photo in sorted((stock / 'photos').iterdir())[:4]:
                os.link(photo, folder / 'd' / photo.name)
            (folder / 'd' / name).write_text(text(canary, secret))
            labels = folder / 'd/0.txt'
            labels.write_text('0 0.1 0.1 0.9 0.1 0.9 0.9\n')

        return written

    def coco(**image: object) -> Callable[[Path, Path], str]:
        def text(canary: Path, secret: Path) -> str:
            entry = {'id': 1, 'file_name': '0.png', 'height': 48, 'width': 64, **image}
            if entry['file_name'] == 'secret':
                entry['file_name'] = f'../../{secret.name}'
            shape = {'id': 1, 'image_id': 1, 'category_id': 1,
                     'segmentation': image.get('rle', [[1, 1, 30, 1, 30, 30]])}  # fmt: skip
            return json.dumps({'images': [entry], 'annotations': [shape],
                               'categories': [{'id': 1, 'name': 'thing'}]})  # fmt: skip

        return text

    def labelme(**content: object) -> Callable[[Path, Path], str]:
        shape = {'label': 'a', 'points': [[1, 1], [30, 1], [30, 30]], 'shape_type': 'polygon'}

        def text(canary: Path, secret: Path) -> str:
            filled = {key: str(secret) if value == 'secret' else value
                      for key, value in content.items()}  # fmt: skip
            return json.dumps({'shapes': [shape], 'imagePath': '0.png', **filled})

        return text

    python = lambda canary, secret: (  # noqa: E731
        f'names: !!python/object/apply:os.mkdir ["{canary}"]\n'
    )
    laughs = lambda canary, secret: (  # noqa: E731
        'a0: &a0 [x, x]\n' + ''.join(f'a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n' for i in range(1, 40))
        + 'names: *a39\n'
    )  # fmt: skip
    entities = '<!DOCTYPE a [<!ENTITY l0 "lol">' + ''.join(
        f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12)
    )
    bomb = lambda canary, secret: f'{entities}]><annotations>&l11;</annotations>'  # noqa: E731
    reads = lambda canary, secret: (  # noqa: E731
        f'<!DOCTYPE a [<!ENTITY s SYSTEM "file://{secret}">]><annotations><image id="0" '
        'name="0.png" width="64" height="48"><polygon label="&s;" points="1,1;9,1;9,9"/></image>'
        '</annotations>'
    )
    deep = lambda canary, secret: '[' * 200_000  # noqa: E731
    rle = {'counts': [5, 2**40], 'size': [2**20, 2**20]}
    for name, file, text, kind in (
        ('YOLO names in YAML that runs code', 'data.yaml', python, 'yolo'),
        ('YOLO names in YAML that grows', 'data.yaml', laughs, 'yolo'),
        ('YOLO names nested deep', 'data.yaml', deep, 'yolo'),
        ('CVAT with entities that grow', 'annotations.xml', bomb, 'cvat'),
        ('CVAT that reads a file', 'annotations.xml', reads, 'cvat'),
        ('COCO nested deep', 'instances_train.json', deep, 'coco'),
        ('COCO with a photo elsewhere', 'instances_train.json', coco(file_name='secret'), 'coco'),
        ('COCO with a photo of 10^12 pixels', 'instances_train.json',
         coco(height=10**6, width=10**6), 'coco'),
        ('COCO with a run of 10^12 pixels', 'instances_train.json', coco(rle=rle), 'coco'),
        ('labelme nested deep', '0.json', deep, 'labelme'),
        ('labelme with a photo elsewhere', '0.json', labelme(imagePath='secret'), 'labelme'),
        ('labelme of 10^12 pixels', '0.json', labelme(imageHeight=10**6, imageWidth=10**6),
         'labelme'),
    ):  # fmt: skip
        yield name, write(file, text), ['data', kind, 'd', '--out', 'mine', '--classes', 'a,thing']
    for name, text in (('runs code', python), ('grows', laughs), ('is nested deep', deep)):
        yield f'dataset.yaml that {name}', write('dataset.yaml', text), ['check', 'd']


def _cifar(folder: Path, canary: Path, secret: Path) -> None:
    batches = folder / 'cifar/cifar-10-batches-py'
    batches.mkdir(parents=True)
    names = [f'data_batch_{i}' for i in range(1, 6)] + ['test_batch', 'batches.meta']
    for name in names:
        (batches / name).write_bytes(pickle.dumps(_Makes(canary), protocol=2))
