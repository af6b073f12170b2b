"""What models/bases.py trains: two bases, and deltas of all methods and sizes on the first one."""

# name -> text below the data folder, and how much of its end is predicted; what comes before is for training.
TEXTS = {
    'tinyshakespeare': ('tinyshakespeare/input.txt', 50000),
    'tinystories': ('tinystories/tinystories_sample_2M.txt', 50000),
}
GUTENBERG = 'nltk-gutenberg/gutenberg_all.txt'
# Shakespeare's three plays stand together.
CUT = (b'[The Tragedie of Julius Caesar', b'[Leaves of Grass by')

SHAPE = ['--method', 'full', '--vocab', 'bytes', '--layers', '4', '--width', '128', '--heads', '4', '--context', '256', '--batch', '4', '--matrix-type', 'q8',
         '--qat-start', '0.9', '--val-fraction', '0.02']
BASE_STEPS, SECOND_STEPS, QUICK_BASE_STEPS = 16000, 3000, 200
STEPS, QUICK_STEPS = 300, 30
RUN = ['--context', '128', '--batch', '8']  # of a delta: 1,024 bytes a step

LORA = ['--method', 'lora', '--rank']
NOLA = ['--method', 'nola', '--rank', '16', '--d', '64']
FULL = ['--method', 'full', '--embedding-rows', 'all', '--embedding-type', 'f16', '--norms', 'stored']

# name -> options, each about as large as a file of 0.5, 1, 4, 16 or 64 KB may be.
DELTAS = {
    'heads alone': ['--method', 'embed'],
    'alphas, 5 a matrix': ['--method', 'alpha', '--d', '5'],
    'shared alphas, 64': ['--method', 'alpha-global', '--d', '64'],
    'alphas, 28 a matrix': ['--method', 'alpha', '--d', '28'],
    'NOLA, rank 4, 13 a factor': ['--method', 'nola', '--rank', '4', '--d', '13'],
    'Fastfood, 478': ['--method', 'fastfood-global', '--d', '478'],
    'Fourier, 470': ['--method', 'fourier-global', '--d', '470'],
    'NOLA, rank 16, 64 a factor': NOLA,
    'norms': ['--method', 'embed', '--norms', 'stored'],
    'NOLA, rank 16, 64 a factor, and norms': [*NOLA, '--norms', 'stored'],
    'Fastfood, 200 a matrix': ['--method', 'fastfood', '--d', '200'],
    'LoRA, rank 1, attention': [*LORA, '1', '--mlp', 'embed'],
    'biases': ['--method', 'embed', '--bias'],
    'gains': ['--method', 'embed', '--gains'],
    'LoRA, rank 1': [*LORA, '1'],
    'gains, biases, norms': ['--method', 'embed', '--gains', '--bias', '--norms', 'stored'],
    'NOLA, gains, biases, norms': [*NOLA, '--gains', '--bias', '--norms', 'stored'],
    'LoRA, rank 1, and norms': [*LORA, '1', '--norms', 'stored'],
    'LoRA, rank 1, and gains': [*LORA, '1', '--gains'],
    'sparse, 0.016': ['--method', 'embed', '--sparse', '0.016'],
    '48 rows': ['--method', 'embed', '--embedding-rows', '48'],
    'LoRA, rank 3, gains, norms': [*LORA, '3', '--gains', '--norms', 'stored'],
    'LoRA, rank 4': [*LORA, '4'],
    'LoRA, rank 7': [*LORA, '7'],
    'sparse, 0.07': ['--method', 'embed', '--sparse', '0.07'],
    'masks': ['--method', 'mask'],
}
# Of these three seeds are trained.
SEEDS = 3
SEVERAL = ['alphas, 5 a matrix', 'alphas, 28 a matrix', 'NOLA, rank 4, 13 a factor', 'Fastfood, 478', 'LoRA, rank 1', 'LoRA, rank 1, and gains', 'LoRA, rank 4']
QUICK = ['heads alone', 'alphas, 5 a matrix', 'Fastfood, 478', 'LoRA, rank 1', 'LoRA, rank 4']

# The d90 of fine-tuning, by smoltrain sweep.
SWEEP_METHOD, SWEEP, QUICK_SWEEP = 'fastfood-global', [100, 300, 1000, 3000, 10000, 30000], [100, 1000]

# name -> bases (1 Gutenberg's, 2 the stories'), with their factors at the start, and options.
MIXES = {
    'heads alone, on the second base': ([(2, 1)], ['--method', 'embed']),
    'both, a factor each': ([(1, 0.5), (2, 0.5)], ['--method', 'embed', '--mix', 'file']),
    'both, a number for each matrix, from halves': ([(1, 0.5), (2, 0.5)], ['--method', 'embed']),
    'both, a number for each matrix, from the first alone': ([(1, 1), (2, 0)], ['--method', 'embed']),
    'both, the same from the second alone': ([(1, 0), (2, 1)], ['--method', 'embed']),
}
