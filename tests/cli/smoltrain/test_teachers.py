"""smoltrain --teacher and --dropout: what they change, what is refused, and that a training with them resumes to the same model."""
import json

from programs import run, run_text, smoltrain, tool
from test_architecture import FILES, inspected, stopped, train


def test_a_teacher_changes_what_is_learned(folder):
    train(folder, out='teacher.smol')
    train(folder, out='alone.smol')
    for weight in ('0.5', '1'):
        train(folder, '--teacher', folder / 'teacher.smol', '--teacher-weight', weight, out=f'{weight}.smol')
    train(folder, '--teacher', folder / 'teacher.smol', out='default.smol')
    hashes = {name: inspected(folder / f'{name}.smol')['hash'] for name in ('alone', '0.5', '1')}
    assert len(set(hashes.values())) == 3
    card = json.loads(tool('inspect', '--json', folder / 'default.smol').stdout)['card']
    assert card['recipe']['teacher_weight'] == 0.5 and card['recipe']['teachers'] != '0'


def test_a_training_with_both_resumes_to_the_same_model(folder):
    train(folder, out='teacher.smol')
    both = ['--teacher', folder / 'teacher.smol', '--dropout', '0.2']
    train(folder, *both, '--steps', '1000', out='whole.smol')
    stopped(folder, 1000, *both)
    again = [smoltrain, '--data', folder / 'text', '--eval-every', '0', '--resume', '-o', folder / 'm.smol']
    assert '--teacher: is needed: the training has teachers' in run_text(*again, code=2).stderr
    run(*again, '--teacher', folder / 'teacher.smol')
    assert (folder / 'whole.smol').read_bytes() == (folder / 'm.smol').read_bytes()


def test_what_is_refused(folder, check):
    train(folder, out='teacher.smol')
    (folder / 'other').write_bytes(b'0123456789' * 200)
    run_text(smoltrain, '--data', folder / 'other', '--width', '8', '--context', '8', '--steps', '1', '-o', folder / 'other.smol')
    for code, arguments, line in [
            (2, ['--dropout', '1'], 'dropout must be at least 0 and under 1'),
            (2, ['--dropout', '-0.1'], 'dropout must be at least 0 and under 1'),
            (2, ['--teacher-weight', '0.5'], 'teachers and their weight go together'),
            (2, ['--teacher', folder / 'teacher.smol', '--teacher-weight', '1.5'], 'the weight of teachers must be 0..1'),
            (1, ['--teacher', folder / 'none.smol'], 'none.smol: cannot open: No such file or directory'),
            (1, ['--teacher', folder / 'text'], 'not a .smol file'),
            (1, ['--teacher', folder / 'other.smol'], 'teacher 1 has other tokens than the text'),
            (2, ['--teacher', folder / 'teacher.smol', '--seed-search', '3'], 'not for a sweep or seed search')]:
        found = train(folder, *arguments, code=code).stderr
        check.that(line in found, f'{arguments}: {found}')
        check.that(not (folder / 'm.smol').exists(), arguments)
