#!/usr/bin/python3
"""Seconds of a training step: smoltrain --method full and other methods beside PyTorch, in turns, by hand.

    train_step.py SMOLTRAIN TEXT [--layers 12 --width 768 --heads 12 --context 64 --batch 4] [--tokenizer FILE --vocab N]
                  [--methods full,alpha] [--rounds 3] [--seconds 20] [--threads 2] [--quantile 0.1]
    train_step.py SMOLTRAIN TEXT --arch smol --layers 2 --width 128 --heads 4 --context 128 --batch 8 --vocab 65 --threads 1 --methods mask,ternary,full

PyTorch (Debian's python3-torch) runs the same network with every weight trained, whatever the method, with the same loss, clipping and AdamW: as installed, and with what makes it fastest where it is slow:
other OpenBLAS kernels, threads that sleep while they wait, a malloc that keeps its memory. Without it only smoltrain is measured.
Prints the median step of each in every round, or what a tenth of the steps are faster than, for machines with other work;
and the ratio to the fastest PyTorch, of the rounds' medians or then of their best.
"""
import argparse
import importlib.util
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

KEEPS_MEMORY = {'MALLOC_MMAP_THRESHOLD_': '4000000000', 'MALLOC_TRIM_THRESHOLD_': '10000000000', 'MALLOC_TOP_PAD_': '100000000'}
SLEEPS = {'OMP_WAIT_POLICY': 'PASSIVE'}
TORCH = {'as installed': {},
         'sleeping threads, kept memory': dict(KEEPS_MEMORY, **SLEEPS),
         'and Haswell kernels': dict(KEEPS_MEMORY, **SLEEPS, OPENBLAS_CORETYPE='Haswell'),
         'and SkylakeX kernels': dict(KEEPS_MEMORY, **SLEEPS, OPENBLAS_CORETYPE='SkylakeX'),
         'kept memory, Haswell kernels': dict(KEEPS_MEMORY, OPENBLAS_CORETYPE='Haswell'),
         'kept memory, SkylakeX kernels': dict(KEEPS_MEMORY, OPENBLAS_CORETYPE='SkylakeX')}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('smoltrain', type=pathlib.Path)
    parser.add_argument('text', type=pathlib.Path)
    for name, default in (('layers', 12), ('width', 768), ('heads', 12), ('context', 64), ('batch', 4), ('vocab', 256), ('rounds', 3),
                          ('seconds', 20), ('threads', 2)):
        parser.add_argument('--' + name, type=int, default=default)
    parser.add_argument('--quantile', type=float, default=0.5)
    parser.add_argument('--tokenizer')
    parser.add_argument('--arch', choices=['gpt2', 'smol'], default='gpt2')
    parser.add_argument('--methods', default='full')
    parser.add_argument('--torch', action='store_true', help=argparse.SUPPRESS)  # a child process: PyTorch itself
    return parser.parse_args()


def torch_steps(o):
    """GPT-2 or architecture smol in PyTorch; prints the seconds of each step, a line each."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(o.threads)
    torch.manual_seed(1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(o.width), nn.LayerNorm(o.width)
            self.c_attn, self.c_proj = nn.Linear(o.width, 3 * o.width), nn.Linear(o.width, o.width)
            self.c_fc, self.mlp_proj = nn.Linear(o.width, 4 * o.width), nn.Linear(4 * o.width, o.width)
            self.register_buffer('mask', torch.tril(torch.ones(o.context, o.context)).bool())

        def forward(self, x):
            split = [t.view(o.batch, o.context, o.heads, -1).transpose(1, 2) for t in self.c_attn(self.ln_1(x)).split(o.width, 2)]
            scores = split[0] @ split[1].transpose(2, 3) * (1 / math.sqrt(o.width // o.heads))
            weights = scores.masked_fill(~self.mask, -math.inf).softmax(-1)
            x = x + self.c_proj((weights @ split[2]).transpose(1, 2).reshape(o.batch, o.context, o.width))
            return x + self.mlp_proj(functional.gelu(self.c_fc(self.ln_2(x))))

    class SmolBlock(nn.Module):
        """Distances, slope factors, temperatures, half-shift and relu^2; no matrix has a bias, no norm a gain."""

        def __init__(self):
            super().__init__()
            self.matrices = nn.ParameterList(nn.Parameter(torch.randn(rows, cols) / math.sqrt(cols)) for rows, cols in (
                (3 * o.width, o.width), (o.width, o.width), (4 * o.width, o.width), (o.width, 4 * o.width)))
            self.temperature, self.factor = nn.Parameter(torch.ones(o.heads, 1, 1)), nn.Parameter(torch.ones(o.heads, 1, 1))
            place = torch.arange(o.context)
            distance = (place[:, None] - place[None, :]).float()
            slope = torch.tensor([2.0 ** (1 - 6 * h / (o.heads - 1)) for h in range(o.heads)]).view(-1, 1, 1)
            self.register_buffer('slopes', slope * distance.clamp_min(0))
            self.register_buffer('mask', torch.where(distance >= 0, 0.0, -math.inf))
            self.register_buffer('shifted', torch.randint(0, 2, (2, o.width)).bool())

        def normalised(self, x, which):
            y = functional.layer_norm(x, (o.width,))
            return torch.where(self.shifted[which], functional.pad(y[:, :-1], (0, 0, 1, 0)), y)

        def forward(self, x):
            c_attn, c_proj, c_fc, mlp_proj = self.matrices
            qkv = (self.normalised(x, 0) @ c_attn.t()).view(o.batch, o.context, 3, o.heads, -1).permute(2, 0, 3, 1, 4)
            scores = (qkv[0] * (self.temperature / math.sqrt(o.width // o.heads))) @ qkv[1].transpose(2, 3)
            weights = (scores + (self.mask - self.factor * self.slopes)).softmax(-1)
            x = x + (weights @ qkv[2]).transpose(1, 2).reshape(o.batch, o.context, o.width) @ c_proj.t()
            hidden = (self.normalised(x, 1) @ c_fc.t()).relu()
            return x + (hidden * hidden) @ mlp_proj.t()

    wte, wpe = nn.Embedding(o.vocab, o.width), nn.Embedding(o.context, o.width)
    table, scale = nn.Parameter(torch.randn(o.vocab, o.width) * 0.02), nn.Parameter(torch.ones(()))
    if o.arch == 'smol':
        body = nn.Sequential(*(SmolBlock() for _ in range(o.layers)), nn.LayerNorm(o.width, elementwise_affine=False))
        learned = [*wte.parameters(), table, scale, *body.parameters()]
    else:
        body = nn.Sequential(*(Block() for _ in range(o.layers)), nn.LayerNorm(o.width))
        learned = [*wte.parameters(), *wpe.parameters(), *body.parameters()]

    def logits_of(tokens):
        if o.arch == 'smol':
            return functional.linear(body(wte(tokens)), table) * scale
        return functional.linear(body(wte(tokens) + wpe(torch.arange(o.context))), wte.weight)

    optimiser = torch.optim.AdamW(learned, lr=3e-4)
    end = time.monotonic() + o.seconds
    while time.monotonic() < end:
        tokens, targets = torch.randint(0, o.vocab, (2, o.batch, o.context))
        begin = time.monotonic()
        optimiser.zero_grad(set_to_none=True)
        logits = logits_of(tokens)
        functional.cross_entropy(logits.view(-1, o.vocab), targets.reshape(-1)).backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        print(time.monotonic() - begin, flush=True)


def run_torch(environment):
    done = subprocess.run([sys.executable, __file__, '--torch', *sys.argv[1:]], env=dict(os.environ, **environment), capture_output=True, text=True)
    return [float(line) for line in done.stdout.split()]


def run_smoltrain(o, method, folder):
    log = folder / 'log'
    words = [o.smoltrain.resolve(), '--arch', o.arch, '--data', o.text.resolve(), '--method', method, '--steps', '100000', '--eval-every', '0', '--save-every', '0',
             '--print-every', '0', '--val-fraction', '0.01', '--threads', o.threads, '--log', log,
             '-o', folder / ('m.safetensors' if method == 'full' and o.arch == 'gpt2' else 'm.smol')]
    for name in ('layers', 'width', 'heads', 'context', 'batch'):
        words += ['--' + name, getattr(o, name)]
    words += ['--tokenizer', o.tokenizer] if o.tokenizer else []
    process = subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(o.seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    seconds = [json.loads(line)['seconds'] for line in log.read_text().splitlines() if '"train"' in line and line.endswith('}')]
    log.unlink()
    return [b - a for a, b in zip(seconds, seconds[1:])]


def main(o):
    runs = {method: lambda folder, m=method: run_smoltrain(o, m, folder) for method in o.methods.split(',')}
    if importlib.util.find_spec('torch'):
        runs.update({'PyTorch, ' + name: lambda folder, e=e: run_torch(e) for name, e in TORCH.items()})
    found = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(o.rounds):
            for name, run in runs.items():
                steps = run(pathlib.Path(folder))[2:]  # the first ones touch new memory
                if steps:
                    found[name].append(sorted(steps)[min(int(len(steps) * o.quantile), len(steps) - 1)])
    typical = statistics.median if o.quantile == 0.5 else min
    best = min((typical(v) for k, v in found.items() if v and k.startswith('PyTorch')), default=None)
    for name, medians in found.items():
        if not medians:
            print('%-45s does not run here' % name)
            continue
        middle = typical(medians)
        print('%-45s %s s, %6.0f tokens/s%s' % (name, ' '.join('%.3f' % m for m in medians), o.batch * o.context / middle,
                                               ', %.2f x the fastest PyTorch' % (best / middle) if best else ''))


options = parse()
torch_steps(options) if options.torch else main(options)
