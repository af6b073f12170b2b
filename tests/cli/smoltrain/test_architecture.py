"""smoltrain for architecture smol: its options, byte sets, what it says of the model, and what it refuses."""
import json
import signal
import subprocess

import pytest
from programs import run, run_text, smolrun, smoltrain, tool, write
from training import stored_loss

TEXT = b'To be, or not to be, that is the question:\nWhether \'tis nobler in the mind to suffer\n' * 60
FILES = {'text': TEXT}
SMALL = ['--layers', '1', '--width', '24', '--heads', '2', '--context', '16', '--batch', '4', '--steps', '20', '--eval-every', '0', '--threads', '2']
FEATURES = ['distances', 'slope-factors', 'temperatures', 'half-shift', 'relu2', 'output-table']


def train(folder, *arguments, out='m.smol', code=0, **more):
    return run_text(smoltrain, '--data', folder / 'text', *SMALL, '-o', folder / out, *arguments, code=code, **more)


def inspected(path):
    return json.loads(tool('inspect', '--json', path).stdout)


def perplexity(folder, *arguments):
    write(folder / 'val', TEXT[int(len(TEXT) * (1 - 0.1)):])
    return json.loads(run_text(smolrun, folder / 'm.smol', '--perplexity', folder / 'val', '--json', *arguments).stdout)['nats_per_token']


def logged(path, event):
    return [r for r in map(json.loads, path.read_text().splitlines()) if r['event'] == event][-1]


# ---- the model ----

def test_the_default_is_a_mask(folder):
    train(folder)
    found = inspected(folder / 'm.smol')
    assert (found['architecture'], found['method'], found['features']) == ('smol', 'mask', FEATURES)
    assert found['logit_scale'] != 1, 'not learned'


def test_defaults_of_gpt2_are_as_ever(folder):
    run(smoltrain, '--data', folder / 'text', '--arch', 'gpt2', '--steps', '1', '--batch', '1', '--eval-every', '0', '-o', folder / 'm.smol')
    found = inspected(folder / 'm.smol')
    assert [found[k] for k in ('method', 'layers', 'width', 'heads', 'context', 'vocab', 'tokenizer')] == ['alpha', 4, 128, 4, 64, 256, 'bytes']
    assert 'features' not in found and found['logit_scale'] == 1


def test_features_by_name(folder):
    train(folder, '--features', 'relu2,half-shift', '--steps', '1')
    assert inspected(folder / 'm.smol')['features'] == ['half-shift', 'relu2']


def test_features_left_out(folder):
    """Any of them, with those that need it."""
    for feature in FEATURES:
        gone = ['distances', 'slope-factors'] if feature == 'distances' else [feature]
        train(folder, '--without', ','.join(gone), '--steps', '2')
        found = inspected(folder / 'm.smol')
        assert found['features'] == [f for f in FEATURES if f not in gone]
        assert (found['wpe_type'] is None) == (feature != 'distances') and (found['output_type'] is None) == (feature == 'output-table')


def test_five_numbers_besides_the_embeddings(folder):
    """A temperature of each of four heads and the logit scale; nothing else but embeddings learns."""
    out = train(folder, '--method', 'embed', '--heads', '4', '--without', 'slope-factors').stdout
    assert out.rstrip().endswith('; 5 numbers besides the embeddings'), out
    page = tool('inspect', folder / 'm.smol').stdout.decode()
    assert '4 and the logit scale\n' in page.replace('parameters            ', ''), page


def test_no_number_besides_the_embeddings(folder):
    out = train(folder, '--method', 'embed', '--without', 'slope-factors,temperatures', '--no-learn-logit-scale').stdout
    assert out.rstrip().endswith('; 0 numbers besides the embeddings'), out
    assert inspected(folder / 'm.smol')['logit_scale'] == 1


def test_a_mask_without_gains(folder):
    train(folder, '--no-gains', '--steps', '1')
    assert not any(s['gains'] for s in inspected(folder / 'm.smol')['schemes'])


def test_a_model_without_a_card(folder):
    train(folder, out='a.smol')
    train(folder, '--no-card')
    a, b = inspected(folder / 'a.smol'), inspected(folder / 'm.smol')
    assert b['card'] is None and b['card_bytes'] == 0 and b['file_bytes'] < a['file_bytes'] - a['card_bytes'] + 64


def test_a_note_goes_into_long_cards_and_short_ones(folder):
    note = 'of "Ä" & B'
    train(folder, '--note', note)
    long = inspected(folder / 'm.smol')
    assert long['card']['note'] == note and 'recipe' in long['card']
    train(folder, '--note', note, '--size', str(long['file_bytes'] - long['card_bytes'] + 112 + 600))
    short = inspected(folder / 'm.smol')['card']
    assert short['note'] == note and 'recipe' not in short


def test_methods_by_tensor(folder):
    train(folder, '--method', 'alpha', '--attn', 'mask', '--steps', '2')
    sources = {s['source'] for s in inspected(folder / 'm.smol')['schemes'] if s['kind'] == 'matrix'}
    assert sources == {'mask', 'own'}


def test_four_bits_and_less(folder):
    for kind in 'q4', 'ternary', 'q4-row':
        train(folder, '--embedding-type', kind)
        found = inspected(folder / 'm.smol')
        assert found['wte_type'] == found['output_type'] == kind


def matrices(path):
    return {(s['source'], s['alpha_type']) for s in inspected(path)['schemes'] if s['kind'] == 'matrix'}


def test_full_is_stored(folder):
    """In half precision unless another type is asked for; in GPT-2's architecture too."""
    for arch in 'smol', 'gpt2':
        train(folder, '--arch', arch, '--method', 'full', '--steps', '2')
        assert matrices(folder / 'm.smol') == {('stored', 'f16')}, arch
        for kind in 'f32', 'q8', 'q4', 'ternary':
            train(folder, '--arch', arch, '--method', 'full', '--matrix-type', kind, '--steps', '2')
            assert matrices(folder / 'm.smol') == {('stored', kind)}, (arch, kind)


def test_ternary_is_stored(folder):
    train(folder, '--method', 'ternary', '--steps', '2')
    assert matrices(folder / 'm.smol') == {('stored', 'ternary')} and inspected(folder / 'm.smol')['method'] == 'ternary'


def test_stored_and_masked_by_tensor(folder):
    train(folder, '--attn', 'mask', '--mlp', 'ternary', '--steps', '2')
    assert matrices(folder / 'm.smol') == {('mask', 'f32'), ('stored', 'ternary')}


def test_a_recipe_stores_some(folder):
    write(folder / 'recipe', json.dumps([{'tensors': 'h.*.mlp.*', 'method': 'full', 'matrix-type': 'q4'}]))
    train(folder, '--recipe', folder / 'recipe', '--steps', '2')
    assert matrices(folder / 'm.smol') == {('mask', 'f32'), ('stored', 'q4')}


def test_safetensors_are_gpt2s(folder):
    done = train(folder, '--method', 'full', out='m.safetensors', code=1)
    assert done.stderr.endswith("m.safetensors: safetensors are for GPT-2's architecture\n"), done.stderr
    done = train(folder, '--arch', 'gpt2', '--method', 'full', '--matrix-type', 'q8', out='m.safetensors', code=2)
    assert '--matrix-type: is for a .smol; safetensors have floats' in done.stderr


def test_the_seed_search_knows_it(folder):
    done = train(folder, '--seed-search', '2', '--steps', '40')
    assert done.stderr.count('nats per token after 20 steps') == 2 and 'chose seed' in done.stderr


def test_a_sweep_of_it(folder):
    run(smoltrain, 'sweep', '--data', folder / 'text', *SMALL, '--method', 'alpha', '--d', '1,2', '-o', folder / 'out')
    for name in 'alpha-1', 'alpha-2', 'embed', 'full':
        found = inspected(folder / 'out' / (name + '.smol'))
        assert (found['architecture'], found['method']) == ('smol', name.split('-')[0])


# ---- the loss ----

def test_smolrun_finds_the_loss_in_windows(folder):
    for options in ([], ['--method', 'ternary'], ['--method', 'full', '--matrix-type', 'q4', '--embedding-type', 'q4'], ['--method', 'embed', '--embedding-type', 'q4-row'],
                    ['--method', 'full', '--matrix-type', 'q8', '--without', 'half-shift,relu2'], ['--method', 'lora', '--without', 'output-table']):
        train(folder, '--log', folder / 'log', *options)
        assert abs(perplexity(folder, '--windows') - stored_loss(folder / 'log')) < 1e-4, options


def test_smolrun_finds_the_loss_in_one_stream(folder):
    """As the log, the card and the last line have it."""
    out = train(folder, '--log', folder / 'log').stdout
    found, stated = perplexity(folder), logged(folder / 'log', 'model')['streamed_nats_per_token']
    assert abs(found - stated) < 1e-6 and '; in one stream %.5f nats per token' % stated in out
    assert abs(inspected(folder / 'm.smol')['card']['validation']['streamed_nats_per_token'] - stated) < 1e-7


def test_no_stream_without_distances(folder):
    out = train(folder, '--without', 'distances,slope-factors', '--log', folder / 'log').stdout
    assert 'stream' not in out and 'streamed_nats_per_token' not in logged(folder / 'log', 'model')
    assert abs(perplexity(folder) - stored_loss(folder / 'log')) < 1e-4


# ---- the vocabulary ----

def test_bytes_that_are_used_and_the_others(folder):
    train(folder)
    found = inspected(folder / 'm.smol')
    assert (found['tokenizer'], found['bytes'], found['other_token']) == ('byte set', sorted(set(TEXT)), len(set(TEXT)))


def test_bytes_that_are_used(folder):
    train(folder, '--vocab', 'used')
    found = inspected(folder / 'm.smol')
    assert (found['bytes'], found['other_token'], found['vocab']) == (sorted(set(TEXT)), None, len(set(TEXT)))


def test_all_bytes(folder):
    train(folder, '--vocab', 'bytes')
    assert (inspected(folder / 'm.smol')['tokenizer'], inspected(folder / 'm.smol')['vocab']) == ('bytes', 256)


def test_a_text_of_all_bytes_has_them_all(folder):
    write(folder / 'text', bytes(range(256)) * 20)
    train(folder)
    assert inspected(folder / 'm.smol')['tokenizer'] == 'bytes'


def test_gpt2_has_used_bytes_if_it_is_asked(folder):
    train(folder, '--arch', 'gpt2', '--vocab', 'used')
    assert inspected(folder / 'm.smol')['vocab'] == len(set(TEXT))


def test_validation_bytes_count_too(folder):
    write(folder / 'held-out', TEXT[:2000] + b'#')
    train(folder, '--valid', folder / 'held-out', '--vocab', 'used')
    assert inspected(folder / 'm.smol')['bytes'] == sorted(set(TEXT + b'#'))


def test_documents_are_separated_in_used_bytes(folder):
    """Without an end of text the separator's bytes are used too; the tokens are those of the joined text."""
    lines = TEXT.decode().splitlines()
    write(folder / 'text', '\n'.join(json.dumps({'text': line}) for line in lines))
    train(folder, '--format', 'jsonl', '--log', folder / 'log', '--vocab', 'used+other')
    start = logged(folder / 'log', 'start')
    assert inspected(folder / 'm.smol')['bytes'] == sorted(set('<|endoftext|>' + ''.join(lines)) and set(('<|endoftext|>' + ''.join(lines)).encode()))
    assert start['train_bytes'] + start['val_bytes'] == len('<|endoftext|>'.join(lines))


def test_a_cache_serves_used_bytes(folder):
    """The same model with one, when it is made and when it is there."""
    train(folder, out='a.smol')
    for out in 'b.smol', 'c.smol':
        done = train(folder, '--cache', folder / 'cache', out=out)
        assert ('encoded' in done.stderr) == (out == 'b.smol')
    assert (folder / 'a.smol').read_bytes() == (folder / 'b.smol').read_bytes() == (folder / 'c.smol').read_bytes()


def test_the_tokenizer_of_a_model_with_a_set(folder):
    """It encodes as the set that is found again does."""
    train(folder, '--vocab', 'used', out='a.smol')
    train(folder, '--tokenizer', folder / 'a.smol', out='b.smol')
    assert (folder / 'a.smol').read_bytes() == (folder / 'b.smol').read_bytes()


def test_a_byte_outside_the_set_has_its_place(folder):
    train(folder, '--vocab', 'used', out='a.smol')
    write(folder / 'text', TEXT[:1000] + b'7' + TEXT[1000:])
    done = train(folder, '--tokenizer', folder / 'a.smol', code=1)
    assert done.stderr == 'smoltrain: %s: byte 1000: byte 55 has no token\n' % (folder / 'text')
    assert not (folder / 'm.smol').exists()


def test_a_byte_outside_the_set_has_its_line(folder):
    train(folder, '--vocab', 'used', out='a.smol')
    write(folder / 'text', '{"text": "To be"}\n{"text": "or 7"}\n'.replace('To be', '').replace('{"text": ""}', ''))
    done = train(folder, '--format', 'jsonl', '--tokenizer', folder / 'a.smol', code=1)
    assert done.stderr == 'smoltrain: %s: line 2: byte 55 has no token\n' % (folder / 'text')


def test_a_set_without_the_separator_is_for_one_document(folder):
    train(folder, '--vocab', 'used', out='a.smol')
    done = train(folder, '--data', folder / 'text', '--tokenizer', folder / 'a.smol', code=1)
    assert done.stderr.endswith('the tokenizer has no tokens for <|endoftext|>, which separates documents\n'), done.stderr


# ---- what contradicts itself ----

BAD = [
    (['--arch', 'gpt3'], '--arch: takes smol or gpt2'),
    (['--features', 'distance'], '--features: takes names of features'),
    (['--without', ''], '--without: takes names of features'),
    (['--arch', 'gpt2', '--features', 'relu2'], '--features: is for --arch smol; gpt2 has no features'),
    (['--arch', 'gpt2', '--without', 'relu2'], '--without: is for --arch smol; gpt2 has no features'),
    (['--without', 'distances'], 'slope factors'),
    (['--features', 'slope-factors'], 'slope factors'),
    (['--without', ','.join(FEATURES)], 'features'),
    (['--matrix-type', 'q8'], '--matrix-type: is for --method full, whose matrices are stored'),
    (['--method', 'full', '--matrix-type', 'q9'], '--matrix-type: unknown choice'),
    (['--gains', '--no-gains'], '--gains: contradicts --no-gains'),
    (['--learn-logit-scale', '--no-learn-logit-scale'], '--learn-logit-scale: contradicts --no-learn-logit-scale'),
    (['--context', '0'], 'context must be 1..65536'),
    (['--vocab', 'some'], '--vocab: takes bytes, used, used+other, used+end or used+other+end'),
    (['--vocab', 'used', '--tokenizer', 'x'], '--vocab: is for training without --tokenizer, which has its own'),
    (['--matrix-lr', '-1'], 'learning rates must be 0..1000'),
    (['--qat-start', '2'], 'share of the steps'),
    (['--d', '3'], '--d: is for methods with alphas or projections'),
]


@pytest.mark.parametrize('options, message', BAD, ids=[' '.join(o) for o, _ in BAD])
def test_one_line_for_what_cannot_be(folder, options, message):
    done = train(folder, *options, code=2)
    assert message in done.stderr.splitlines()[0] and done.stdout == '', done.stderr
    assert not list(folder.glob('m.*'))


# ---- stopping and going on ----

def stopped(folder, steps, *arguments):
    """A training that was interrupted after a few steps."""
    line = [smoltrain, '--data', folder / 'text', *SMALL, '--steps', str(steps), '--print-every', '1', '-o', folder / 'm.smol', *arguments]
    process = subprocess.Popen(list(map(str, line)), stderr=subprocess.PIPE, text=True)
    for text in process.stderr:
        if text.startswith('step 5/'):
            process.send_signal(signal.SIGINT)
            break
    process.stderr.read()
    assert process.wait(60) == 1 and (folder / 'm.ckpt').exists()


def test_it_resumes_to_the_same_bytes(folder):
    train(folder, '--steps', '2000', out='whole.smol')
    stopped(folder, 2000)
    run(smoltrain, '--data', folder / 'text', '--eval-every', '0', '--resume', '-o', folder / 'm.smol')
    assert (folder / 'm.smol').read_bytes() == (folder / 'whole.smol').read_bytes()


def test_another_architecture_does_not_resume(folder):
    stopped(folder, 100000)
    done = run_text(smoltrain, '--data', folder / 'text', '--arch', 'gpt2', '--resume', '-o', folder / 'm.smol', code=2)
    assert done.stderr.startswith('smoltrain: --arch: is not that of the checkpoint\n'), done.stderr
