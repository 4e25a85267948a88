"""Files that want to run code, to be read from elsewhere, or to take all memory."""

import json
import os
import pickle
import struct
import threading
import zipfile
import zlib

import cv2
import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sacm_mm import UserError, convert
from sacm_mm.apis.find_model import find_model
from sacm_mm.core.checkpoints import find_checkpoint, load_checkpoint, read_weights
from sacm_mm.core.pictures import check_picture
from sacm_mm.datasets.cifar10 import CIFAR10Dataset
from sacm_mm.own_data.class_names import read_names
from sacm_mm.own_data.read_coco import load_json
from sacm_mm.own_data.sources import prepare_source


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize('place', ['meta', 'message_hub', 'optimizer', 'state_dict', 'alone'])
def test_a_checkpoint_runs_no_code(tmp_path, place):
    made, path = tmp_path / 'made', tmp_path / 'a.pth'
    content = {'state_dict': {'a': torch.ones(1)}, place: Runs(made)}
    torch.save(Runs(made) if place == 'alone' else content, path)
    with pytest.raises(UserError, match=r'asks for .*mkdir'):
        load_checkpoint(path)
    assert not made.exists()
    load_checkpoint(path, trust=True) if place != 'alone' else None
    assert made.exists() == (place != 'alone')


@pytest.mark.parametrize(
    'tool', [('test',), ('train', '--resume'), ('export', '--out', 'x.onnx')], ids=lambda t: t[0]
)
def test_no_tool_runs_code(run_tool, tmp_path, data, tool):
    made, path = tmp_path / 'made', tmp_path / 'a.pth'
    torch.save({'state_dict': {'a': torch.ones(1)}, 'meta': Runs(made)}, path)
    name, *flags = tool
    arguments = [*flags, path] if name == 'train' else [path, *flags]
    done = run_tool(name, 'sacm_camvid_light.py', *arguments)
    assert 'asks for' in done.error and str(path) in done.error
    assert not made.exists()


def test_an_archive_that_unpacks_to_more_than_it_holds(tmp_path):
    path, bomb = tmp_path / 'a.pth', tmp_path / 'bomb.pth'
    torch.save({'a': torch.zeros(1_000_000)}, path)
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(bomb, 'w', zipfile.ZIP_DEFLATED) as packed:
        for entry in plain.infolist():
            packed.writestr(entry.filename, plain.read(entry))
    with pytest.raises(UserError, match='unpacks to more'):
        read_weights(bomb)


def test_a_work_dir_names_no_file_elsewhere(tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    torch.save({'a': torch.ones(1)}, tmp_path / 'elsewhere.pth')
    (work / 'last_checkpoint').write_text(str(tmp_path / 'elsewhere.pth'))
    with pytest.raises(UserError, match='no checkpoint in'):
        find_checkpoint(work)
    torch.save({'a': torch.ones(1)}, work / 'iter_9.pth')
    torch.save({'a': torch.ones(1)}, work / 'iter_10.pth')
    assert find_checkpoint(work).endswith('iter_10.pth')
    (work / 'iter_11.pth').write_bytes((work / 'iter_10.pth').read_bytes()[:-50])  # a torn one
    (work / 'last_checkpoint').write_text('')
    assert find_checkpoint(work).endswith('iter_10.pth')
    torch.save({'a': torch.ones(1)}, work / 'best_mIoU_iter_9.pth')
    assert find_checkpoint(work).endswith('/iter_10.pth')
    assert find_checkpoint(work, best=True).endswith('best_mIoU_iter_9.pth')


@pytest.mark.parametrize(
    'form', ['module.', '_orig_mod.', 'module._orig_mod.', 'model', 'ema', 'st']
)
def test_weights_are_found_as_training_tools_leave_them(tmp_path, form, capsys):
    weights, path = {'a.weight': torch.ones(2), 'a.bias': torch.zeros(2)}, tmp_path / 'a.pth'
    if form == 'model':
        torch.save({'model': weights, 'epoch': 3}, path)
    elif form == 'ema':
        other = {key: value + 1 for key, value in weights.items()}
        torch.save({'state_dict': other, 'state_dict_ema': weights}, path)
    elif form == 'st':
        path = tmp_path / 'a.safetensors'
        save_file(weights, path)
    else:
        torch.save({'state_dict': {form + key: value for key, value in weights.items()}}, path)
    found = read_weights(path)
    assert list(found) == list(weights) or (form == 'st' and set(found) == set(weights))
    assert all(torch.equal(found[key], weights[key]) for key in weights)
    assert ('taken from' in capsys.readouterr().out) == (form != 'st')


def keras_file(path, **dataset):
    with h5py.File(path, 'w') as file:
        file.attrs['layer_names'] = ['conv2d']
        file.create_group('conv2d').create_dataset('kernel:0', **dataset)


def test_keras_weights_come_from_their_own_file(tmp_path):
    secret = tmp_path / 'secret.bin'
    secret.write_bytes(b'x' * 4000)
    external = [(str(secret), 0, 4000)]
    keras_file(tmp_path / 'a.h5', shape=(1000,), dtype='f4', external=external)
    with pytest.raises(UserError, match='lie in another file'):
        convert.load(tmp_path / 'a.h5')
    with h5py.File(tmp_path / 'b.h5', 'w') as file:
        file.attrs['layer_names'] = ['conv2d']
        file['conv2d'] = h5py.ExternalLink(str(tmp_path / 'a.h5'), 'conv2d')
    with pytest.raises(UserError, match='lie in another file'):
        convert.load(tmp_path / 'b.h5')


def test_keras_weights_that_unpack_to_more_than_the_file_holds(tmp_path):
    keras_file(tmp_path / 'a.h5', shape=(100_000_000,), dtype='f4', chunks=(1_000_000,))
    with pytest.raises(UserError, match='more than it holds'):
        convert.load(tmp_path / 'a.h5')


@pytest.mark.parametrize('asked', ['numpy.f2py dtype', 'numpy.testing ndarray', 'os system'])
def test_cifars_archive_imports_nothing(tmp_path, asked):
    folder = tmp_path / 'cifar-10-batches-py'
    folder.mkdir()
    module, name = asked.split()
    (folder / 'test_batch').write_bytes(f'c{module}\n{name}\n.'.encode())
    with pytest.raises(UserError, match=f'asks for {module}'):
        CIFAR10Dataset(str(tmp_path), 'test', pipeline=[])


def huge_png(path, side):
    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', check)

    header = struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(1000))
    path.write_bytes(
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', packed) + chunk(b'IEND', b'')
    )


def test_pictures_that_no_decoder_should_see(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    for suffix in ('.jpg', '.png', '.bmp', '.tif', '.webp'):
        path = tmp_path / f'a{suffix}'
        cv2.imwrite(str(path), picture)
        assert check_picture(path) == (60, 40)
    for suffix in ('.jpg', '.png'):
        half = tmp_path / f'half{suffix}'
        whole = (tmp_path / f'a{suffix}').read_bytes()
        half.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match='truncated'):
            check_picture(half)
    huge_png(tmp_path / 'huge.png', 60_000)
    with pytest.raises(UserError, match='60000x60000'):
        check_picture(tmp_path / 'huge.png')
    (tmp_path / 'empty.png').touch()
    with pytest.raises(UserError, match='empty'):
        check_picture(tmp_path / 'empty.png')
    with pytest.raises(UserError, match='No such file'):
        check_picture(tmp_path / 'none.png')


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'x.png')
    ended = []

    def look():
        with pytest.raises(UserError, match='pipe'):
            check_picture(tmp_path / 'x.png')
        ended.append(True)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(5)
    assert ended


def test_old_pickles_are_read_with_the_same_care(tmp_path):
    path = tmp_path / 'old.pth'
    path.write_bytes(pickle.dumps(Runs(tmp_path / 'made'), protocol=2))
    with pytest.raises(UserError):
        load_checkpoint(path)
    assert not (tmp_path / 'made').exists()


def test_an_exported_file_names_no_config_elsewhere(tmp_path, monkeypatch):
    # a config is code
    onnx = pytest.importorskip('onnx')
    evil, made = tmp_path / 'evil.py', tmp_path / 'made'
    evil.write_text(f'__import__("os").mkdir({str(made)!r})\nmodel = dict(type="EncoderDecoder")\n')
    values = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in 'xy']
    node = onnx.helper.make_node('Identity', ['x'], ['y'])
    graph = onnx.helper.make_graph([node], 'g', values[:1], values[1:])
    model = onnx.helper.make_model(
        graph, ir_version=9, opset_imports=[onnx.helper.make_opsetid('', 17)]
    )
    model.metadata_props.add(key='sacm_mm', value=json.dumps({'config': str(evil)}))
    (tmp_path / 'inside').mkdir()
    monkeypatch.chdir(tmp_path / 'inside')
    onnx.save(model, 'm.onnx')
    with pytest.raises(UserError, match='not in this folder: a config runs code'):
        find_model('m.onnx')
    assert not made.exists()


def test_annotations_name_no_photo_elsewhere(tmp_path):
    folder = tmp_path / 'set'
    folder.mkdir()
    cv2.imwrite(str(tmp_path / 'secret.png'), np.zeros((20, 20, 3), np.uint8))
    shape = {'label': 'a', 'points': [[1, 1], [9, 1], [9, 9]], 'shape_type': 'polygon'}
    for name in ('../secret.png', str(tmp_path / 'secret.png')):
        (folder / 'x.json').write_text(json.dumps({'shapes': [shape], 'imagePath': name}))
        with pytest.raises(UserError, match='none of the photos'):
            prepare_source('labelme', [folder], tmp_path / 'out')
    cv2.imwrite(str(folder / 'own.png'), np.zeros((20, 20, 3), np.uint8))
    for name in ('../secret.png', str(tmp_path / 'secret.png')):
        polygon = '<polygon label="a" points="1,1;9,1;9,9"/>'
        image = f'<image name="{name}" width="20" height="20">{polygon}</image>'
        (folder / 'annotations.xml').write_text(f'<annotations>{image}</annotations>')
        with pytest.raises(UserError, match='none of the photos'):
            prepare_source('cvat', [folder], tmp_path / 'out')


def test_yaml_that_grows_and_yaml_that_runs_code(tmp_path):
    path = tmp_path / 'names.yaml'
    levels = [f'a{i}: &a{i} [*a{i - 1}, *a{i - 1}]' for i in range(1, 40)]
    path.write_text('\n'.join(['a0: &a0 [x, x]', *levels, 'names: *a39']))
    with pytest.raises(UserError, match='it has references'):
        read_names(str(path))
    path.write_text(f'names: !!python/object/apply:os.mkdir ["{tmp_path / "made"}"]')
    with pytest.raises(UserError, match='cannot read class names'):
        read_names(str(path))
    assert not (tmp_path / 'made').exists()


def test_json_that_is_nested_too_deep(tmp_path):
    (tmp_path / 'a.json').write_text('[' * 100_000)
    with pytest.raises(UserError, match='cannot read annotations'):
        load_json(tmp_path / 'a.json', 'annotations')
