# A walk through the Python module, cell by cell: what a small model writes, what surprises it, what it is made of. Lines with "#>" are what
# the lines above them print. From the top of a checkout:
#     scripts/build build
#     PYTHONPATH=python /usr/bin/python3 docs/examples/python/tour.py
# Needs NumPy. docs/python.md has every part of it in fewer words.

# %% A model is a file; its hash and its signature are checked when it is opened.
import numpy as np
import smol

model = smol.Model.load('models/shakespeare-64k.smol')
print(model)
print('%d bytes stand for %d parameters' % (model.facts['file_bytes'], sum(np.prod(shape) for shape in model.tensors().values())))
#> <smol.Model, 2 layers x 128, context 128, vocabulary 66>
#> 63272 bytes stand for 411413 parameters

# %% It writes, piece by piece, the same for the same seed.
for piece in model.stream('ROMEO:', n=150, seed=1):
    print(piece, end='', flush=True)
print()
#>
#> Do he and know your child!
#>
#> GLOUCESTER:
#> Sir, my son, I die in my remorses of the dart,
#> For a scarce of the can promise for the business
#> And shall tel

# %% The temperature says how bold it is.
for temperature in (0, 0.5, 0.8, 1.5):
    print('%.1f' % temperature, repr(model.generate('KING:', n=56, seed=1, temperature=temperature)))
#> 0.0 '\nAnd then the son of the soul of the soul of the soul of'
#> 0.5 '\nFor I must be the face of the light of the face.\n\nLADY '
#> 0.8 "\nLet's resorted with the butchers of a creature desperat"
#> 1.5 '\nDidester admary and my want cousin bowel,\nStands in the'

# %% What it expects after some letters: logits, and from them probabilities.
logits = model.logits('To be, or not to b').astype(float)
p = np.exp(logits - logits.max())
p /= p.sum()
for token in np.argsort(-p)[:4]:
    print('%-4r %5.1f %%' % (model.decode([token]).decode(), 100 * p[token]))
#> 'e'   85.1 %
#> 'r'    4.8 %
#> 'u'    3.8 %
#> 'o'    1.6 %

# %% What surprises it, letter by letter: the nats of each after all before it.
text = 'The king is dead; long live the zebra.'
tokens = model.encode(text)
rows = model.logits(tokens, each=True).astype(float)
rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
nats = -rows[np.arange(len(tokens) - 1), tokens[1:]]
print(text)
print(' ' + ''.join('.:-=+*#%@'[min(8, int(x * 1.3))] for x in nats))
print('%.1f nats, as score() says: %.1f' % (nats.sum(), model.score(text).nats))
#> The king is dead; long live the zebra.
#>  :..+....-..+..:-:*-+..+:-.=-:..@:#-:@
#> 65.5 nats, as score() says: 65.5

# %% So it can tell texts apart: the fewer bits a byte, the more it is like what the model was trained on.
for text in ('My lord, the king is dead.', 'Please restart the server.', 'Le roi est mort, monseigneur.'):
    print('%.2f bits a byte: %s' % (model.score(text).bits_per_byte, text))
#> 1.48 bits a byte: My lord, the king is dead.
#> 2.79 bits a byte: Please restart the server.
#> 5.96 bits a byte: Le roi est mort, monseigneur.

# %% And choose: which word is likeliest after a beginning?
def after(prompt, text):
    return model.score(prompt + text).nats - model.score(prompt).nats


for word in sorted(('king', 'kettle', 'queen', 'keyboard'), key=lambda word: after('God save the ', word)):
    print('%5.1f nats: God save the %s' % (after('God save the ', word), word))
#>   4.0 nats: God save the king
#>   5.1 nats: God save the queen
#>  16.5 nats: God save the kettle
#>  23.1 nats: God save the keyboard

# %% The signs of its weights are in no file: they come from the seed. The file has a bit for each, which says whether it counts.
w = model.weights('h.0.attn.c_attn.weight')
signs = np.sign(w[:6, :48]).astype(int)
for row in signs:
    print(''.join('-.+'[s + 1] for s in row))
print('%d x %d, %s, %.0f %% of them 0' % (*w.shape, w.dtype, 100 * (w == 0).mean()))
#> ..+---....-.......-.-...+...+..-+......-.--++-..
#> ....-+..+......-..-.-...+..+--...+-....++.+-.++-
#> -...+++.-+...++..+.+...+-..+.-..+.-+++..+.....+.
#> .+.-.-...-+..+.-..-.....+..+.+.+..-..---.+.++-..
#> +......+-+.+-..+..-..+.++...-+.-.....-.-.-.-....
#> .+.-+.++.++--+.+....+.....--.....-.......+-+....
#> 384 x 128, float64, 57 % of them 0

# %% What a model expects need not be sent: a message in few bytes, which the same model unpacks on any machine.
messages = smol.Model.load('models/messages-64k.smol')
for text in ('Running late, see you at the pier at 6', 'ok c u at 8 then', 'xqzj 7#k'):
    packed = messages.pack(text)
    print('%2d bytes -> %2d: %s' % (len(text), len(packed), messages.unpack(packed).decode()))
#> 38 bytes -> 12: Running late, see you at the pier at 6
#> 16 bytes ->  7: ok c u at 8 then
#>  8 bytes ->  9: xqzj 7#k
