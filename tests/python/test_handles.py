"""Copies, closing and forking, in whatever order and thread: an exception or the right text, and never a crash."""
import copy
import pickle

from module import raises, script, shipped, smol
from programs import run, smoltool

TEXT = smol.Model.load(shipped).generate('KING:', n=12, seed=1)


def test_copies_are_refused():
    """What would close the model twice; scripts, because it did."""
    assert script('''
import copy, pickle
g = m.tokens('KING:', n=5)
next(g)
for what in m, m._handle, g.gi_frame.f_locals['text']:
    for way in copy.copy, copy.deepcopy, pickle.dumps:
        try:
            way(what)
        except TypeError as error:
            print(error)
print(m.generate('KING:', n=12, seed=1))
''').split('\n', 1)[0] == 'a Model can be neither copied nor pickled; threads and forked processes share a model'
    model = smol.Model.load(shipped)
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        raises(TypeError, 'a Model can be neither copied nor pickled', way, model)
        raises(TypeError, 'pickle', way, model.tokens('x'))
    assert model.generate('KING:', n=12, seed=1) == TEXT


def test_attributes_copied_by_hand():
    """Two models with one handle: it is freed once, by the last."""
    assert script('''
import gc
other = object.__new__(smol.Model)
other.__dict__.update(m.__dict__)
del m
gc.collect()
print(other.generate('KING:', n=12, seed=1), end='')
''') == TEXT


def test_a_model_of_nothing():
    assert script('''
nothing = object.__new__(smol.Model)
try:
    nothing.generate('x', n=1)
except AttributeError:
    print('refused')
del nothing
''') == 'refused\n'


def test_a_generator_after_with():
    """Begun, and not begun; with tokens and with pieces of text."""
    assert script('''
def told(call, *arguments, **more):
    try:
        call(*arguments, **more)
        print('nothing')
    except ValueError as error:
        print(error)
with m:
    begun = m.tokens('KING:', n=5), m.stream('KING:', n=5), m.tokens('KING:', n=5, threads=2)
    for g in begun:
        next(g)
    new = m.tokens('KING:')
for g in (*begun, new):
    told(next, g)
for call in (m.generate, m.tokens, m.stream, m.encode, m.score, m.logits, m.weights, m.pack):
    told(call, 'KING:')
told(m.unpack, b'')
told(m.decode, [1])
told(m.tensors)
told(m.check)
told(lambda: m.facts)
told(m.__enter__)
m.close()
print(repr(m))
''') == 'the model is closed\n' * 18 + '<smol.Model, closed>\n'


def test_an_unfinished_generator_goes_with_its_model():
    """Whichever is dropped first, and in a circle of both."""
    assert script('''
import gc
for order in range(3):
    model = smol.Model.load(sys.argv[1])
    g = model.tokens('KING:', threads=2)
    next(g)
    if order == 0:
        del model
        next(g)
    elif order == 1:
        model.close()
        del g
    else:
        model.loop, model.g = model, g
        del model, g
    gc.collect()
g = None
print(len(list(smol._handles._models)))
''') == '1\n'


def test_closed_in_another_thread():
    """While others generate, score, encode and take weights: each ends with the right value or with ValueError."""
    assert script('''
import threading, time
text, score, weights = m.generate('KING:', n=12, seed=1), m.score('KING:' * 9), m.weights('ln_f.weight').tobytes()
jobs = (lambda m: m.generate('KING:', n=12, seed=1, threads=2) == text, lambda m: m.score('KING:' * 9) == score, lambda m: m.encode('KING:' * 99) and True,
        lambda m: m.weights('ln_f.weight').tobytes() == weights, lambda m: ''.join(m.stream('KING:', n=12, seed=1)) == text)
wrong, ended = [], []
def work(model, job):
    try:
        while True:
            if not job(model):
                wrong.append(job)
    except ValueError as error:
        ended.append(str(error))
for _ in range(6):
    model = smol.Model.load(sys.argv[1])
    threads = [threading.Thread(target=work, args=(model, job)) for job in jobs]
    for thread in threads:
        thread.start()
    time.sleep(0.04)
    model.close()
    for thread in threads:
        thread.join()
print(len(wrong), len(ended), set(ended))
''') == "0 30 {'the model is closed'}\n"


def test_closed_while_its_generator_runs():
    """By the loop over it, by a signal in the midst of a token, and by another thread."""
    assert script('''
import signal, threading
def loop(model, close):
    try:
        for i, _ in enumerate(model.tokens('KING:', n=100000)):
            if i == 2:
                close(model)
    except ValueError as error:
        print(error)
def by_signal(model):
    signal.signal(signal.SIGALRM, lambda *_: model.close())
    signal.setitimer(signal.ITIMER_REAL, 0.02)
for close in (smol.Model.close, by_signal, lambda model: threading.Thread(target=model.close).start()):
    loop(smol.Model.load(sys.argv[1]), close)
''') == 'the model is closed\n' * 3


def test_a_generator_in_two_threads():
    """The second is told that it runs already."""
    assert set(script('''
import threading
g, said = m.tokens('KING:', n=400), set()
def work():
    try:
        for _ in g:
            pass
    except ValueError as error:
        said.add(str(error))
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print('\\n'.join(sorted(said)))
''').split('\n')) <= {'generator already executing', ''}


def test_the_end_of_the_interpreter():
    """With a model, a generator, a circle, and a thread that is in the library at the last moment."""
    for last in ("g = m.tokens('KING:', threads=2); next(g)",
                 "m.loop = m",
                 "class Late:\n    def __del__(self, m=m): m.close(); print(m)\nlate = Late()",
                 "import atexit; atexit.register(m.close)",
                 "import threading, time\ndef work():\n    while True: m.generate('KING:', n=50)\n"
                 "threading.Thread(target=work, daemon=True).start(); time.sleep(0.1)",
                 "import threading, time\ndef work():\n    while True: smol.Model.load(sys.argv[1]).score('KING:' * 300)\n"
                 "threading.Thread(target=work, daemon=True).start(); time.sleep(0.1); m.close()"):
        script(last)


def test_fork():
    """A model goes on in both processes, and closes in each; a generator only where it began."""
    assert script('''
import os
def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            print(type(error).__name__, error)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
g = m.tokens('KING:', n=40, seed=1, threads=2)
begun = [next(g)]
def work():
    print(m.generate('KING:', n=12, seed=1, threads=2).encode(), m.encode('KI'), m.score('KING:').n_tokens)
    m.check()
    m.close()
    print(m)
    child(lambda: m.encode('x'))
child(work)
child(lambda: next(g))
child(lambda: next(m.tokens('x', n=1)) and child(lambda: print(m.generate('KING:', n=12, seed=1).encode())))
print(m.decode(begun + list(g)) == m.decode(m.tokens('KING:', n=40, seed=1)))
''') == '\n'.join(("%r [75, 73] 4" % TEXT.encode(), '<smol.Model, closed>', 'ValueError the model is closed',
                        'ValueError this text was begun in another process', repr(TEXT.encode()), 'True', ''))


def test_fork_while_others_encode():
    """The child's lock is its own: one that another thread held would never be released."""
    assert script('''
import os, threading
text = 'First Citizen: ' * 20000
done = []
def work():
    while not done:
        m.encode(text)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        os._exit(len(m.encode('KING:')))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
done.append(True)
for thread in threads:
    thread.join()
''') == ''


def test_fork_while_others_plan(folder):
    """So is FFTW's planner, which texts of a model with a Fourier projection use one at a time."""
    run(smoltool, 'new', '--layers', '2', '--width', '64', '--context', '32', '--method', 'fourier', '-o', folder / 'm.smol')
    assert script('''
import os, threading
m = smol.Model.load(sys.argv[2])
done = []
def work():
    while not done:
        next(m.tokens('x', n=1))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(40):
    pid = os.fork()
    if pid == 0:
        os._exit(7 + 0 * next(m.tokens('x', n=1)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
done.append(True)
for thread in threads:
    thread.join()
''', folder / 'm.smol') == ''


def test_a_pool_of_processes():
    """What multiprocessing does with a model that its workers inherit, and with the library's errors, which are pickled."""
    assert script('''
import multiprocessing
def text(seed):
    return m.generate('KING:', n=12, seed=seed)
def wrong(what):
    return m.weights('nothing') if what == 41 else m.decode([-1]) if what == 40 else m.generate('x', top_p=2) if what == 1 else smol.Model.load(what)
with multiprocessing.get_context('fork').Pool(2) as pool:
    print(pool.map(text, [1, 2, 1]) == [text(1), text(2), text(1)])
    for what in 41, 40, 1, '/nowhere':
        try:
            pool.apply(wrong, (what,))
        except smol.Error as error:
            print(type(error).__mro__[0].__name__, error.status, error)
''') == '''True
Error 41 nothing: no tensor has that name; tensors() lists them
ValueError 40 token -1 is beyond the vocabulary of 256
ValueError 1 top_p=2 is not in 0..1
FileNotFoundError 3 [Errno 2] No such file or directory: '/nowhere'
'''
