"""The networks of models/frontier.py: what is trained, and with which options.

A family is a list of networks that differ in size only. Every family has its best known rates: those of docs/methods.md and, for what the
older block learns, docs/frontier.md.
"""

# name -> text below the data folder, the part that validates
TEXTS = {
    'tinyshakespeare': ('tinyshakespeare/input.txt', 0.1),
    'tinystories': ('tinystories/tinystories_sample_2M.txt', 0.05),
}
# What models/books_text.py makes of the first of them: other books beside the training part. It is scored as that text.
WITH_BOOKS = 'mix4.txt'
TEACHERS_WITH_BOOKS = {'3293833111915387216'}  # as cards name them: shakespeare-1m.smol
NANOGPT = {'name': 'nanoGPT, 6 x 384, as published', 'bytes': 43_000_000, 'nats': 1.4697}  # tinyshakespeare, in windows of 256

STEPS, QUICK_STEPS = 5000, 800
SEEDS_BELOW = 600  # a network of more thousand weights is trained with one seed

Q4, ROW = ['--embedding-type', 'q4'], ['--embedding-type', 'q4-row']  # the latter takes less where rows are short


def smol(method, layers, width, *more, heads=4):
    return ['--method', method, '--layers', str(layers), '--width', str(width), '--heads', str(heads), '--context', '128', '--batch', '8', *more]


def gpt2(matrix_type, layers, width, *more):
    """A trained network of GPT-2's block: nothing in it is made of the seed."""
    rate = '5e-2' if matrix_type == 'ternary' else '2e-2'  # docs/frontier.md, The rivals
    rates = ['--lr', '1e-2', '--matrix-lr', rate]
    return ['--arch', 'gpt2', '--vocab', 'used+other', *smol('full', layers, width, '--matrix-type', matrix_type, *rates, *more)]


# name -> options. Names begin with what tells the families apart in the picture.
NETWORKS = {
    # With a seed: frozen or masked signs.
    'masks, 1 x 8': smol('mask', 1, 8, *ROW),
    'masks, 2 x 16': smol('mask', 2, 16, *ROW),
    'masks for a QR code, 1 x 24': smol('mask', 1, 24, '--ff', '76', '--no-gains', '--lr', '2e-2', '--alpha-lr', '1e-2', '--dropout', '0.02', '--qat-start', '0', *ROW, heads=2),
    'masks, 1 x 24': smol('mask', 1, 24, *ROW),
    'masks, 2 x 32': smol('mask', 2, 32, *ROW),
    'masks, 2 x 48': smol('mask', 2, 48, *ROW),
    'masks, 2 x 56': smol('mask', 2, 56, *ROW),
    'masks, 2 x 64': smol('mask', 2, 64, *ROW),
    'masks, 2 x 88': smol('mask', 2, 88, *ROW),
    'masks, 2 x 96': smol('mask', 2, 96, *ROW),
    'masks, 2 x 128': smol('mask', 2, 128, *ROW),
    'masks, 3 x 160': smol('mask', 3, 160, *ROW),
    'masks, 4 x 256': smol('mask', 4, 256, *ROW),
    'masks, 6 x 320': smol('mask', 6, 320, *ROW),
    'frozen, 1 x 16': smol('embed', 1, 16, '--lr', '4e-2', *ROW),
    'frozen, 1 x 32': smol('embed', 1, 32, '--lr', '4e-2', *ROW),
    'frozen, 1 x 64': smol('embed', 1, 64, '--lr', '4e-2', *Q4),
    'frozen, 1 x 128': smol('embed', 1, 128, '--lr', '4e-2', *Q4),
    'frozen, 1 x 256': smol('embed', 1, 256, '--lr', '4e-2', *Q4),
    'frozen, 1 x 512': smol('embed', 1, 512, '--lr', '4e-2', *Q4),
    'frozen, 1 x 1024': smol('embed', 1, 1024, '--lr', '4e-2', *Q4),
    'frozen with gains, 1 x 256': smol('embed', 1, 256, '--gains', *Q4),
    'alphas, 2 x 128': smol('alpha', 2, 128, '--d', '5', *Q4),
    'LoRA, rank 8, 2 x 64': smol('lora', 2, 64, '--rank', '8', '--param-type', 'q8', *Q4),
    'LoRA, rank 8, 2 x 128': smol('lora', 2, 128, '--rank', '8', '--param-type', 'q8', *Q4),
    'LoRA, rank 32, 4 x 256': smol('lora', 4, 256, '--rank', '32', '--param-type', 'q8', *Q4),
    'Fastfood, 1,000 a matrix, 2 x 128': smol('fastfood', 2, 128, '--d', '1000', '--alpha-lr', '1e-1', '--param-type', 'q8', *Q4),
    'Fastfood, 4,000 a matrix, 2 x 128': smol('fastfood', 2, 128, '--d', '4000', '--alpha-lr', '1e-1', '--param-type', 'q8', *Q4),
    'Fourier, 1,000 a matrix, 2 x 128': smol('fourier', 2, 128, '--d', '1000', '--alpha-lr', '1e-1', '--param-type', 'q8', *Q4),
    'NOLA, rank 16, 64 a factor, 2 x 128': smol('nola', 2, 128, '--rank', '16', '--d', '64', '--alpha-lr', '1e-2', '--param-type', 'q8', *Q4),
    # Without one, in the same architecture.
    'ternary, 2 x 16': smol('ternary', 2, 16, *ROW),
    'ternary, 2 x 32': smol('ternary', 2, 32, *ROW),
    'ternary, 2 x 64': smol('ternary', 2, 64, *Q4),
    'ternary, 2 x 96': smol('ternary', 2, 96, *Q4),
    'ternary, 2 x 128': smol('ternary', 2, 128),
    'ternary, 3 x 176': smol('ternary', 3, 176),
    'ternary, 4 x 256': smol('ternary', 4, 256),
    'ternary, 6 x 384': smol('ternary', 6, 384),
    '4 bits, 2 x 16': smol('full', 2, 16, '--matrix-type', 'q4', *ROW),
    '4 bits, 2 x 64': smol('full', 2, 64, '--matrix-type', 'q4', *Q4),
    '4 bits, 2 x 128': smol('full', 2, 128, '--matrix-type', 'q4', *Q4),
    '4 bits, 4 x 192': smol('full', 4, 192, '--matrix-type', 'q4', '--dropout', '0.1'),
    '8 bits, 2 x 64': smol('full', 2, 64, '--matrix-type', 'q8', *Q4),
    'halves, 2 x 64': smol('full', 2, 64, '--matrix-type', 'f16', *Q4),
    # Without one, in GPT-2's: the rivals.
    'GPT-2 ternary, 2 x 32': gpt2('ternary', 2, 32, *ROW),
    'GPT-2 ternary, 2 x 64': gpt2('ternary', 2, 64, *Q4),
    'GPT-2 ternary, 2 x 128': gpt2('ternary', 2, 128, *Q4),
    'GPT-2 ternary, 4 x 256': gpt2('ternary', 4, 256, *Q4),
    'GPT-2 4 bits, 2 x 16': gpt2('q4', 2, 16, *ROW),
    'GPT-2 4 bits, 2 x 64': gpt2('q4', 2, 64, *Q4),
    'GPT-2 4 bits, 2 x 128': gpt2('q4', 2, 128, *Q4),
    'GPT-2 4 bits, 4 x 192': gpt2('q4', 4, 192, *Q4),
    'GPT-2 8 bits, 2 x 16': gpt2('q8', 2, 16),
    'GPT-2 8 bits, 2 x 64': gpt2('q8', 2, 64),
    'GPT-2 8 bits, 2 x 128': gpt2('q8', 2, 128),
    'GPT-2 8 bits, 4 x 192': gpt2('q8', 4, 192),
}

# The frozen network without each of its changes.
FROZEN = smol('embed', 1, 256)
WITHOUT = {
    'without nothing': FROZEN,
    **{f'without {w}': [*FROZEN, '--without', w] for w in ('temperatures', 'half-shift', 'relu2', 'output-table', 'slope-factors', 'distances,slope-factors')},
    'without a learned logit scale': [*FROZEN, '--no-learn-logit-scale'],
    'without any number': [*FROZEN, '--without', 'slope-factors,temperatures', '--no-learn-logit-scale'],
    'without anything: GPT-2\'s block': ['--arch', 'gpt2', '--vocab', 'used+other', *FROZEN, '--lr', '2e-2'],
    'without anything: GPT-2\'s block, five alphas': ['--arch', 'gpt2', '--vocab', 'used+other', *smol('alpha-global', 1, 256), '--d', '5', '--lr', '2e-2', '--alpha-lr', '1e-2'],
}

# What --quick trains: far enough apart that the order is there after a sixth of the steps. GPT-2's trained block is not, for it learns late, nor is
# 'frozen, 1 x 256', which is ahead of 2 x 64 masks at first.
QUICK = ['masks, 2 x 16', 'masks, 2 x 64', 'masks, 2 x 128', 'ternary, 2 x 128', 'without nothing', 'without half-shift', 'without anything: GPT-2\'s block']


def uses_seed(options):
    """Whether anything in such a network is made of the seed."""
    return options[options.index('--method') + 1] not in ('full', 'ternary')


def n_seeds(options):
    layers, width = (int(options[options.index(word) + 1]) for word in ('--layers', '--width'))
    return 3 if 12 * layers * width * width < 1000 * SEEDS_BELOW else 1
