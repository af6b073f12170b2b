"""smoltrain from outside: what it writes, what it refuses, how it stops and goes on.

The losses it states are computed again by other programs: GPT-2 in NumPy for safetensors, smolrun for .smol files."""
import base64
import hashlib
import json
import os
import re
import signal
import struct
import subprocess
import time

import nacl.signing
import numpy as np

from programs import build, run_text as run, smolrun, smoltrain
from training import FILES, small, stored_loss, train, validation_text  # noqa: F401


# Each test gets an empty folder with a text.

def test_usage(folder):
    assert '--alpha-lr' in run(smoltrain, '--help-all').stdout
    out = folder / 'x.smol'
    for bad in (['--nonsense'], ['--method', 'other'], ['--steps', 'many'], ['--dist', 'flat'], ['--heads', '5'],
                ['--seed', '-1'], ['--seed', '18446744073709551616'], ['--d', '65'], ['--d', '-1'], ['--lr', '-1'],
                ['--val-fraction', '1'], ['--batch', '0'], ['--method', 'full', '--rank', '3'], ['stray']):
        done = train(folder, '-o', out, *bad, code=2)
        assert done.stderr.startswith('smoltrain: ') and done.stdout == '', (bad, done.stderr)
    run(smoltrain, '-o', out, code=2)
    run(smoltrain, '--data', folder / 'text', code=2)
    assert not out.exists()


def test_failures(folder):
    out = folder / 'x.smol'
    (folder / 'short').write_bytes(b'too short a text')
    (folder / 'empty').write_bytes(b'')
    (folder / 'nothing').mkdir()
    (folder / 'locked').write_bytes(b'not a key')
    for bad in (['--data', folder / 'missing', '-o', out], ['--data', folder / 'empty', '-o', out],
                ['--data', folder / 'short', '-o', out], ['--data', folder / 'nothing', '-o', out],
                ['--data', folder / 'text', '-o', folder / 'no/such/folder/x.smol'],
                ['--data', folder / 'text', '-o', out, '--sign', folder / 'missing'],
                ['--data', folder / 'text', '-o', out, '--sign', folder / 'locked'],
                ['--data', folder / 'text', '-o', folder / 'x.safetensors'],
                ['--data', folder / 'text', '-o', out, '--resume'],
                ['--data', folder / 'text', '-o', out, '--log', folder / 'no/log']):
        done = run(smoltrain, *small, '--steps', '2', *bad, code=1)
        assert done.stderr.splitlines()[-1].startswith('smoltrain: '), (bad, done.stderr)
        assert not out.exists() and not out.with_suffix('.ckpt').exists(), bad


def test_names_with_control_characters_are_escaped(folder):
    done = run(smoltrain, '--data', folder / 'a\x1b[31mb', '-o', folder / 'x.smol', code=1)
    assert '\x1b' not in done.stderr


def agree(folder, *arguments):
    """A model of these options; smolrun must find the loss that smoltrain states."""
    log = folder / 'log'
    train(folder, '-o', folder / 'm.smol', '--steps', '25', '--lr', '2e-2', '--log', log, *arguments)
    (folder / 'val').write_bytes(validation_text(folder))
    done = run(smolrun, folder / 'm.smol', '--perplexity', folder / 'val', '--json')
    found, stated = json.loads(done.stdout)['nats_per_token'], stored_loss(log)
    assert abs(found - stated) < 1e-3, f'{arguments}: smolrun {found}, smoltrain {stated}'
    assert stated < 5.2, f'{arguments}: learned nothing: {stated}'


def test_smolrun_agrees_embed(folder):
    agree(folder, '--method', 'embed')


def test_smolrun_agrees_alpha_sign(folder):
    agree(folder, '--method', 'alpha', '--d', '9', '--norms', 'alpha')


def test_smolrun_agrees_alpha_gauss(folder):
    agree(folder, '--method', 'alpha', '--d', '3', '--dist', 'gauss', '--embedding-type', 'f16')


def test_smolrun_agrees_alpha_global(folder):
    agree(folder, '--method', 'alpha-global', '--norms', 'stored', '--embedding-type', 'f32')


def test_smolrun_agrees_lora(folder):
    agree(folder, '--method', 'lora', '--rank', '3', '--logit-scale', '0.7', '--gain', '1.5')


def test_smolrun_agrees_mixed(folder):
    agree(folder, '--method', 'alpha', '--d', '5', '--rank', '2', '--width', '33', '--heads', '3', '--ff', '70')


RECIPE = [{'tensors': 'h.*.mlp.c_fc', 'method': 'fastfood', 'd': 300},
          {'tensors': 'h.1.*', 'rank': 2, 'norms': 'stored'},
          {'tensors': 'ln_f', 'norms': 'alpha', 'd': 7}]


def inspected(path):
    return json.loads(run(build / 'tools/smoltool', 'inspect', '--json', path).stdout)


def test_methods_by_tensor(folder):
    (folder / 'recipe.json').write_text(json.dumps(RECIPE))
    agree(folder, '--method', 'lora', '--attn', 'alpha:9', '--recipe', folder / 'recipe.json')
    found = inspected(folder / 'm.smol')
    assert found['method'] == 'mixed' and [r['layers'] for r in found['runs']] == [1, 1]
    schemes = found['schemes']
    (_, attn, _, _, c_fc, c_proj), (ln_1, _, _, _, c_fc_1, _) = ([schemes[i] for i in r['schemes']] for r in found['runs'])
    assert (attn['source'], attn['d'], attn['rank']) == ('own', 9, 0)
    assert (c_fc['source'], c_fc['dimensions'], c_fc['rank']) == ('fastfood', 300, 0)
    assert (c_proj['source'], c_proj['rank']) == ('unit', 4)
    assert ln_1['source'] == 'stored' and c_fc_1['rank'] == 2
    last = schemes[found['ln_f_scheme']]
    assert last['source'] == 'own' and last['d'] == 7
    assert found['card']['recipe']['rules'] == [{'tensors': 'h.*.attn.*', 'method': 'alpha', 'd': 9}] + RECIPE


def test_methods_by_tensor_all_alike(folder):
    """Rules that make all tensors alike make the same model as the method itself."""
    models = []
    for options in (['--method', 'alpha', '--d', '3'], ['--method', 'lora', '--attn', 'alpha:3', '--mlp', 'alpha:3']):
        train(folder, '-o', folder / 'm.smol', '--steps', '2', *options)
        found = inspected(folder / 'm.smol')
        models.append([found['method'], found['schemes'], found['alphas']])
    assert models[0] == models[1] and models[0][0] == 'alpha'


def test_bad_recipes(folder):
    path, out = folder / 'recipe.json', folder / 'm.smol'
    for text, place in (('[', 'byte 1: line 1'), ('[\n\n{"tensors": "*", }]', 'byte 21: line 3'), ('{}', 'a recipe is a list'),
                        ('[{"tensors": "*", "d": 2}, {"tensors": "*", "method": "fuller"}]', 'rule 2: method'),
                        ('[{"tensors": "\\u001b[2J", "d": 2}]', 'rule 1: tensors')):
        path.write_text(text)
        done = train(folder, '-o', out, '--recipe', path, code=1)
        assert done.stderr.startswith(f'smoltrain: {path}: {place}'), (text, done.stderr)
    path.write_text('[{"tensors": "h.2.*", "d": 3}]')
    done = train(folder, '-o', out, '--recipe', path, code=2)
    assert "rule 1, for 'h.2.*', applies to no tensor" in done.stderr, done.stderr
    train(folder, '-o', out, '--recipe', folder / 'missing', code=1)
    for bad in (['--attn', 'fuller'], ['--attn', 'alpha:'], ['--mlp', 'lora:x'], ['--mlp', 'alpha:65'],
                ['--attn', 'alpha-global:3', '--mlp', 'alpha-global:4']):
        train(folder, '-o', out, *bad, code=2)
    assert not out.exists()


def test_rules_are_resumed(folder):
    (folder / 'recipe.json').write_text(json.dumps(RECIPE))
    rules = ['--mlp', 'alpha:2', '--recipe', folder / 'recipe.json']
    process = subprocess.Popen([smoltrain, '--data', folder / 'text', '-o', folder / 'b.smol', *small, *rules, '--steps', '4000',
                                '--print-every', '1'], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith('step '):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    done = train(folder, '-o', folder / 'b.smol', '--resume', '--mlp', 'alpha:3', code=1)
    assert 'made with another rules' in done.stderr, done.stderr
    process = subprocess.Popen([smoltrain, '--data', folder / 'text', '-o', folder / 'b.smol', *small, '--resume', '--print-every', '1'],
                               stderr=subprocess.PIPE, text=True)
    assert any(line.startswith('step ') for line in process.stderr)
    process.kill()
    process.communicate(timeout=60)


def test_smolrun_agrees_q8(folder):
    sizes = []
    for numbers in ('f32', 'f16', 'q8'):
        agree(folder, '--method', 'alpha', '--d', '5', '--rank', '2', '--norms', 'stored', '--numbers', numbers)
        found = inspected(folder / 'm.smol')
        assert {s['value_type'] for s in found['schemes']} == {numbers} and found['schemes'][1]['alpha_type'] == numbers
        sizes.append(found['learned_bytes'])
    # Of 2 layers x 32: a matrix's 5 alphas, factors of rank 2 and a norm's two vectors of 32.
    arrays = [5, 2 * 32, 2 * 96] * 2 + [5, 2 * 32, 2 * 32] * 2 + [5, 2 * 32, 2 * 128] * 2 + [5, 2 * 128, 2 * 32] * 2 + [32] * 10
    assert sizes == [4 * sum(arrays), 2 * sum(arrays), sum(n + 2 * -(-n // 64) for n in arrays)], sizes
    agree(folder, '--method', 'fastfood', '--d', '300', '--numbers', 'q8', '--norms', 'alpha')
    agree(folder, '--method', 'alpha-global', '--d', '9', '--numbers', 'q8')
    train(folder, '-o', folder / 'x.smol', '--numbers', 'q4', code=2)


def test_smolrun_agrees_gains_and_biases(folder):
    agree(folder, '--method', 'alpha', '--d', '5', '--gains', '--bias')
    found = inspected(folder / 'm.smol')
    assert found['method'] == 'alpha' and all(s['gains'] and s['biases'] for s in found['schemes'] if s['kind'] == 'matrix')
    # 2 layers x 32: four matrices with 96, 32, 128 and 32 outputs
    assert found['non_embedding_params'] == 2 * (4 * 5 + 2 * (96 + 32 + 128 + 32))
    agree(folder, '--method', 'fourier-global', '--d', '200', '--gains', '--numbers', 'q8', '--norms', 'stored')
    agree(folder, '--method', 'fastfood-global', '--d', '200', '--layer-gains')
    assert inspected(folder / 'm.smol')['non_embedding_params'] == 202
    train(folder, '-o', folder / 'x.smol', '--method', 'fastfood', '--layer-gains', code=2)
    (folder / 'recipe.json').write_text('[{"tensors": "*.c_attn", "bias": true}, {"tensors": "h.1.mlp.*", "gains": true}, {"tensors": "h.1.mlp.c_fc", "gains": false}]')
    agree(folder, '--method', 'lora', '--recipe', folder / 'recipe.json')
    names = run(build / 'tools/smoltool', 'weights', '--list', folder / 'm.smol').stdout
    assert names.count('.c_attn.bias') == 2 and '.c_proj.bias' not in names
    train(folder, '-o', folder / 'x.safetensors', '--method', 'full', '--gains', code=2)


def test_smolrun_agrees_nola(folder):
    agree(folder, '--method', 'nola', '--d', '12', '--rank', '3', '--norms', 'alpha')
    found = inspected(folder / 'm.smol')
    assert found['method'] == 'nola' and found['non_embedding_params'] == 8 * 2 * 12 + 5 * 2 * 12
    agree(folder, '--method', 'lora', '--mlp', 'nola:64', '--numbers', 'q8', '--bias')
    train(folder, '-o', folder / 'x.smol', '--method', 'nola', '--rank', '0', code=2)
    train(folder, '-o', folder / 'x.smol', '--method', 'nola', '--d', '65', code=2)


def test_smolrun_agrees_sparse(folder):
    agree(folder, '--method', 'lora', '--rank', '2', '--sparse', '0.1')
    found = inspected(folder / 'm.smol')
    assert {s['dimensions'] for s in found['schemes'] if s['kind'] == 'matrix'} == {3, 13} # of 32 and of 128 columns
    assert found['non_embedding_params'] == 2 * (2 * (128 + 64 + 160 + 160) + 3 * (96 + 32 + 128) + 13 * 32)
    agree(folder, '--method', 'nola', '--mlp', 'fastfood:90', '--sparse', '0.02', '--numbers', 'q8', '--bias')
    for bad in (['--sparse', '1.5'], ['--sparse', '-1'], ['--sparse', 'nan'], ['--method', 'fourier', '--sparse', '0.1'],
                ['--method', 'full', '--sparse', '0.1']):
        train(folder, '-o', folder / 'x.smol', *bad, code=2)


def test_full_with_biases(folder):
    """Against GPT-2 in NumPy, as for full without; and they are there."""
    out, log = folder / 'm.safetensors', folder / 'log'
    train(folder, '-o', out, '--method', 'full', '--bias', '--steps', '20', '--log', log)
    tensors, _ = read_safetensors(out)
    found, stated = gpt2_loss(tensors, validation_text(folder), 2, 2, 16), stored_loss(log)
    assert abs(found - stated) < 1e-4, f'NumPy {found}, smoltrain {stated}'
    assert all(tensors['h.%d.%s.bias' % (n, m)].any() for n in range(2) for m in ('attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'))


def read_safetensors(path):
    data = path.read_bytes()
    n, = struct.unpack('<Q', data[:8])
    header = json.loads(data[8:8 + n])
    metadata = header.pop('__metadata__')
    assert n % 8 == 0
    at, tensors = 0, {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]['data_offsets']):
        begin, end = entry['data_offsets']
        assert begin == at and entry['dtype'] == 'F32'
        at = end
        tensors[name] = np.frombuffer(data[8 + n + begin:8 + n + end], '<f4').reshape(entry['shape']).astype(float)
    assert 8 + n + at == len(data)
    return tensors, metadata


def gpt2_loss(w, text, n_layers, n_heads, context):
    """Mean nats of each byte but the first, in windows of the context: GPT-2 as published, with Conv1D's x W + b."""
    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w[name + '.weight'] + w[name + '.bias']

    def linear(x, name):
        return x @ w[name + '.weight'] + w[name + '.bias']

    total = 0
    for begin in range(0, len(text) - 1, context):
        ids = np.frombuffer(text[begin:begin + context + 1], np.uint8)
        x = w['wte.weight'][ids[:-1]] + w['wpe.weight'][:len(ids) - 1]
        n, width = x.shape
        for layer in range(n_layers):
            h = f'h.{layer}.'
            q, k, v = (part.reshape(n, n_heads, -1).transpose(1, 0, 2)
                       for part in np.split(linear(norm(x, h + 'ln_1'), h + 'attn.c_attn'), 3, 1))
            e = q @ k.transpose(0, 2, 1) / np.sqrt(width / n_heads)
            e = np.where(np.tri(n, dtype=bool), e, -np.inf)
            e = np.exp(e - e.max(-1, keepdims=True))
            o = (e / e.sum(-1, keepdims=True)) @ v
            x = x + linear(o.transpose(1, 0, 2).reshape(n, width), h + 'attn.c_proj')
            f = linear(norm(x, h + 'ln_2'), h + 'mlp.c_fc')
            f = 0.5 * f * (1 + np.tanh(np.sqrt(2 / np.pi) * (f + 0.044715 * f ** 3)))
            x = x + linear(f, h + 'mlp.c_proj')
        logits = norm(x, 'ln_f') @ w['wte.weight'].T
        logits -= logits.max(-1, keepdims=True)
        total += (np.log(np.exp(logits).sum(-1)) - logits[np.arange(n), ids[1:]]).sum()
    return total / (len(text) - 1)


def test_full_is_gpt2(folder):
    log, out = folder / 'log', folder / 'm.safetensors'
    train(folder, '-o', out, '--method', 'full', '--steps', '60', '--lr', '1e-2', '--logit-scale', '0.8', '--log', log)
    tensors, metadata = read_safetensors(out)
    config = json.loads(metadata['smol.config'])
    assert metadata['format'] == 'pt' and config['n_head'] == 2 and config['n_layer'] == 2 and config['n_embd'] == 32
    assert tensors['h.1.attn.c_attn.weight'].shape == (32, 96)
    assert tensors['h.1.mlp.c_proj.weight'].shape == (128, 32)
    assert len(tensors) == 2 + 2 * 12 + 2
    found, stated = gpt2_loss(tensors, validation_text(folder), 2, 2, 16), stored_loss(log)
    assert abs(found - stated) < 1e-4, f'NumPy {found}, smoltrain {stated}'
    assert stated < 5.2


def test_the_same_command_gives_the_same_file(folder):
    for name, threads in (('a', '1'), ('b', '2'), ('c', '2')):
        train(folder, '-o', folder / f'{name}.smol', '--steps', '12', '--threads', threads)
    a = (folder / 'a.smol').read_bytes()
    assert a == (folder / 'b.smol').read_bytes() == (folder / 'c.smol').read_bytes()
    train(folder, '-o', folder / 'd.smol', '--steps', '12', '--seed', '2')
    assert a != (folder / 'd.smol').read_bytes()


def interrupt(folder, out, *arguments):
    """Starts a training, waits for a few steps and presses Ctrl-C."""
    log = folder / f'{out.name}.log'
    process = subprocess.Popen([smoltrain, '--data', str(folder / 'text'), *small, '-o', str(out), '--log', str(log),
                                *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not log.exists() or log.read_text().count('"train"') < 3):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    return process.returncode, message


def test_interrupted_and_resumed(folder):
    for method, end in (('alpha', 'smol'), ('full', 'safetensors')):
        whole, parts = folder / f'whole.{end}', folder / f'parts.{end}'
        options = ['--method', method, '--steps', '300', '--keep', 'best', '--save-every', '0']
        train(folder, '-o', whole, *options)
        code, message = interrupt(folder, parts, *options)
        assert code == 1 and '--resume' in message, (code, message)
        assert parts.exists() and parts.with_suffix('.ckpt').exists()
        assert parts.read_bytes() != whole.read_bytes()
        train(folder, '-o', parts, *options, code=1)  # without --resume: the checkpoint is not lost
        run(smoltrain, '--data', folder / 'text', '-o', parts, '--resume', '--method', method, '--lr', '0.5', code=1)
        run(smoltrain, '--data', folder / 'text', '-o', parts, '--resume', '--eval-every', '10', '--threads', '3')  # until then 2
        assert parts.read_bytes() == whole.read_bytes(), method
        assert not parts.with_suffix('.ckpt').exists()


def test_a_cut_line_of_the_log_is_dropped(folder):
    log, out = folder / 'x.smol.log', folder / 'x.smol'
    options = ['--steps', '400', '--save-every', '0']
    assert interrupt(folder, out, *options)[0] == 1
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"event":"tra')
    run(smoltrain, '--data', folder / 'text', '-o', out, '--resume', '--log', log)
    steps = b''.join(line for line in whole.splitlines(True) if b'"stored":true' not in line and b'"model"' not in line)
    assert log.read_bytes().startswith(steps + b'{"event":"start"')  # of the model written then, nothing
    assert [json.loads(line) for line in log.read_text().splitlines()][-1]['step'] == 400
    run(smoltrain, '--data', folder / 'text', '-o', out, '--steps', '1', *small, '--log', '/dev/null')


def test_progress_on_a_terminal(folder):
    """A line over the line before, each as wide as a small terminal shows; the log has its numbers."""
    log, (ours, theirs) = folder / 'log', os.openpty()
    process = subprocess.Popen([smoltrain, '--data', str(folder / 'text'), *small, '-o', str(folder / 'x.smol'),
                                '--steps', '60', '--log', str(log)], stderr=theirs, stdout=subprocess.DEVNULL, env={**os.environ, 'TERM': 'xterm'})
    os.close(theirs)
    shown = b''
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait(timeout=60) == 0
    losses = [r['loss'] for r in map(json.loads, log.read_text().splitlines()) if r['event'] == 'train']
    smoothed = losses[0]
    for loss in losses[1:]:
        smoothed = 0.95 * smoothed + 0.05 * loss
    lines = re.findall(r'\r\x1b\[\?7l(step.*?)\x1b\[K\x1b\[\?7h', shown.decode())
    last = re.fullmatch(r'step 60/60  loss (\S+)  smoothed (\S+)(  val \S+)?  (\d+) tokens/s  0:00:00 left', lines[-1])
    assert last, lines
    assert abs(float(last.group(1)) - losses[-1]) < 1e-4 and abs(float(last.group(2)) - smoothed) < 1e-4
    assert int(last.group(4)) > 0


def test_damaged_checkpoint(folder):
    out = folder / 'm.smol'
    code, _ = interrupt(folder, out, '--steps', '100000')
    assert code == 1
    good = out.with_suffix('.ckpt').read_bytes()
    for bad in (b'', good[:7], good[:100], good[:-1], good + b'\0', b'\xff' * 8 + good[8:],
                good.replace(b'"F32"', b'"F64"', 1), good.replace(b'[0,', b'[4,', 1),
                good.replace(b'checkpoint 1', b'checkpoint 9'), good[:-4] + b'\0\0\x80\x7f'):
        out.with_suffix('.ckpt').write_bytes(bad)
        done = run(smoltrain, '--data', folder / 'text', '-o', out, '--resume', code=1)
        assert 'm.ckpt' in done.stderr, done.stderr


def test_memory_is_told_before_the_first_step(folder):
    def told(*options):
        done = train(folder, '-o', folder / 'm.smol', '--steps', '2', '--log', folder / 'log', *options)
        first, start = done.stderr.splitlines()[0], json.loads((folder / 'log').read_text().splitlines()[0])
        assert re.fullmatch(r'training takes [0-9.]+ [kMG]?B of memory, besides text and program', first), first
        return start['memory_bytes']

    small, large = told('--batch', '4'), told('--batch', '400')
    # Of 396 windows more: inputs, Q, K and V, attention, hidden units and their slopes, in f32.
    n, width, context, heads = 396 * 16, 32, 16, 2
    assert large - small > 4 * n * (width + 3 * width + heads * context + 8 * width)
    assert large < 20 * 4 * n * (width + 3 * width + heads * context + 8 * width)


def test_log_and_card(folder):
    log, out = folder / 'log', folder / 'm.smol'
    done = train(folder, '-o', out, '--steps', '20', '--log', log, '--method', 'lora')
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [r['event'] for r in records[:2]] == ['start', 'train']
    assert records[0]['options']['rank'] == 4
    assert sum(r['event'] == 'train' for r in records) == 20
    assert sum(r['event'] == 'validation' for r in records) == 3
    start, train_last, model = records[0], [r for r in records if r['event'] == 'train'][-1], records[-1]
    page = json.loads(run(str(build / 'tools/smoltool'), 'inspect', '--json', out).stdout)
    assert start['method'] == 'lora' and start['tokens_per_step'] == 4 * 16
    assert train_last['step'] == 20 and train_last['tokens'] == 20 * 4 * 16 and train_last['seconds'] > 0
    assert model['event'] == 'model' and model['step'] == 20 and model['bytes'] == out.stat().st_size
    assert model['non_embedding_bytes'] == page['non_embedding_bytes']
    assert model['non_embedding_params'] == start['non_embedding_params'] == page['non_embedding_params']
    assert start['non_embedding_params'] == start['learned_numbers'] - (256 + 16) * 32
    assert start['memory_bytes'] > 16 * start['learned_numbers'], 'four floats a parameter, and activations'
    data = out.read_bytes()
    card = json.loads(data[data.index(b'{\n "made_by"'):data.index(b'\n}') + 2])
    text = (folder / 'text').read_bytes()
    assert card['data']['blake2b_256'] == hashlib.blake2b(text, digest_size=32).hexdigest()
    assert card['data']['bytes'] == len(text) and card['steps'] == 20 and card['method'] == 'lora'
    assert 'date' not in card
    assert abs(card['validation']['nats_per_token'] - stored_loss(log)) < 1e-6
    assert f'{stored_loss(log):.5f}' in done.stdout
    train(folder, '-o', out, '--steps', '2', env={**os.environ, 'SOURCE_DATE_EPOCH': '86400'})
    assert b'"date": "1970-01-02T00:00:00Z"' in out.read_bytes()


def secret_key_file(path):
    """An unencrypted minisign key, by its layout."""
    key = nacl.signing.SigningKey(bytes(range(32)))
    number = b'numbered'
    public = bytes(key.verify_key)
    check = hashlib.blake2b(b'Ed' + number + bytes(key) + public, digest_size=32).digest()
    raw = b'Ed' + b'\0\0' + b'B2' + bytes(48) + number + bytes(key) + public + check
    path.write_text('untrusted comment: test\n' + base64.b64encode(raw).decode() + '\n')
    return number, key.verify_key


def test_signed(folder):
    out, key = folder / 'm.smol', folder / 'key'
    number, public = secret_key_file(key)
    train(folder, '-o', folder / 'plain.smol', '--steps', '3')
    train(folder, '-o', out, '--steps', '3', '--sign', key)
    data, plain = out.read_bytes(), (folder / 'plain.smol').read_bytes()
    assert len(data) == len(plain) + 104 and data.startswith(plain)
    body = plain[:-64]
    leaves = b''.join(hashlib.blake2b(body[i:i + 1048576]).digest() for i in range(0, len(body), 1048576))
    digest = hashlib.blake2b(b'smol/1 file hash' + struct.pack('<Q', len(body)) + leaves).digest()
    assert digest == plain[-64:]
    assert data[-104:-96] == number and data[-96:-64] == bytes(public)
    public.verify(b'smol/1 signature' + digest + number + bytes(public), data[-64:])


def test_runaway(folder):
    out = folder / 'm.safetensors'
    done = train(folder, '-o', out, '--method', 'full', '--logit-scale', '1e18', '--embedding-std', '9e5',
                 '--steps', '9', code=1)
    assert 'step ' in done.stderr and 'not finite' in done.stderr, done.stderr
    assert not out.exists()
