"""Bad files, one or more for each way in which parsers of model files have failed: every program refuses them with one clear
line and exit code 1. They are made from SPEC.md alone (by tests/reference), with every checksum and the hash
repaired, so that it is the rule itself that is broken and not a checksum."""
import struct

import bad_tokens
import checks
import container
import models
import numpy as np
import pytest
from programs import smolrun, smoltool


def good(card=b'{"name": "x"}', vocab=20, tokens=None):
    """A model with alphas, factors and stored norms: every kind of section and number."""
    matrix = container.Scheme(1, 1, 0, 5, 2, 1, 1, 0.25)
    norm = container.Scheme(2, 2, 0, 0, 0, 0, 0, 0.0)
    conf = models.build_conf((2, 2, 8, 12, 6, vocab), [[1, 0, 0, 1, 0, 0]] * 2, 1, [matrix, norm])
    rng = np.random.default_rng(1)
    learned = {name: container.stored_as(0.1 * rng.standard_normal(size), kind)
               for name, size, kind in container.learned_layout(conf)}
    return container.write(container.Smol(conf, learned, models.table(2, rng.standard_normal((vocab, 8))),
                                          models.table(0, rng.standard_normal((6, 8))), card, tokens=tokens))


def sections(data):
    """Name -> (entry offset, offset, size)."""
    count = struct.unpack_from('<H', data, 12)[0]
    at, found = 32 + 24 * count, {}
    for i in range(min(count, 5)):
        name, _, size, _ = struct.unpack_from('<4sIQQ', data, 32 + 24 * i)
        align = 64 if name == b'EMBD' else 8
        at = (at + align - 1) // align * align
        found[name.decode('latin-1')] = (32 + 24 * i, at, size)
        at += size
    return found


def repair(data, body=None):
    """Checksums of the sections that are within the file, of the directory, and the hash."""
    data = bytearray(data)
    body = len(data) - 64 if body is None else body
    count = struct.unpack_from('<H', data, 12)[0]
    for entry, at, size in sections(data).values():
        if at + size <= body:
            struct.pack_into('<Q', data, entry + 16, container.xxh3(bytes(data[at:at + size])))
    struct.pack_into('<Q', data, 24, container.xxh3(bytes(data[:24]) + bytes(data[32:32 + 24 * min(count, 5)])))
    data[body:body + 64] = container.file_hash(bytes(data[:body]))
    return bytes(data)


def patched(offset, fmt, value, section=None):
    data = bytearray(good())
    struct.pack_into(fmt, data, offset + (sections(data)[section][1] if section else 0), value)
    return repair(data)


def entry(section, offset, fmt, value):
    data = bytearray(good())
    struct.pack_into(fmt, data, sections(data)[section][0] + offset, value)
    return repair(data)


def cards(*texts):
    return [good(text) for text in texts]


def without_section(name):
    """The file as it would be without a section."""
    data, found = good(), sections(good())
    count = struct.unpack_from('<H', data, 12)[0]
    kept = [n for n in found if n != name]
    out = bytearray(data[:32]) + bytearray(24 * (count - 1))
    struct.pack_into('<H', out, 12, count - 1)
    for i, n in enumerate(kept):
        e, at, size = found[n]
        out[32 + 24 * i:56 + 24 * i] = data[e:e + 24]
        out += bytes(-len(out) % (64 if n == 'EMBD' else 8)) + data[at:at + size]
    struct.pack_into('<Q', out, 16, len(out))
    return repair(out + bytes(64))


def swapped_entries():
    data = bytearray(good())
    data[32:56], data[56:80] = data[56:80], data[32:56]
    return repair(data)


def repeated_entry():
    data = bytearray(good())
    data[56:80] = data[32:56]
    return repair(data)


def gap_byte():
    data = bytearray(good())
    found = sections(data)
    end = found['CARD'][1] + found['CARD'][2]
    assert end < found['EMBD'][1]
    data[end] = 1
    return repair(data)


def padding_byte():
    data = bytearray(good())
    at, size = sections(data)['EMBD'][1:]
    data[at + size - 1] = 1     # behind wpe, 6 x 8 f32 = 192 bytes, or behind its predecessor's scales
    data[at + 20 * 8] = 1       # behind wte's 160 bytes
    return repair(data)


def signature(change):
    data = bytearray(container.write(container.read(good()), signer=(b'12345678', bytes(range(32)))))
    change(data)
    return bytes(data)


def flip(offset):
    def change(data):
        data[offset] ^= 1
    return change


bad = {  # class of SECURITY.md -> files
    '01 count x size': [patched(12, '<I', 65536, 'CONF'), patched(24, '<I', 16777216, 'CONF')],
    '02 length + 1': [entry('EMBD', 8, '<Q', 2**64 - 1), entry('CARD', 8, '<Q', 2**64 - 1)],
    '03 shape product': [patched(24, '<I', 2**32 - 1, 'CONF'), patched(20, '<I', 2**31, 'CONF')],
    '04 padding that wraps': [entry('LRND', 8, '<Q', 2**64 - 16), entry('CONF', 8, '<Q', 2**64 - 8)],
    '05 offset + size': [entry('LRND', 8, '<Q', 2**63), entry('EMBD', 8, '<Q', 2**64 - 64)],
    '06 sum of sizes': [patched(16, '<Q', 2**64 - 1), patched(16, '<Q', 2**64 - 64), patched(16, '<Q', 2**48 + 1)],
    '07 u64 to int': [entry('EMBD', 8, '<Q', 2**32 + sections(good())['EMBD'][2])],
    '08 negative': [patched(4, '<i', -1, 'CONF'), patched(12, '<i', -8, 'CONF'), patched(20, '<i', -2**31, 'CONF')],
    '09 allocation': [patched(4, '<I', 256, 'CONF'), patched(16, '<I', 262144, 'CONF')],
    '11 block size': [patched(8, '<I', 3, 'CONF')],
    '12 zero dimension': [patched(o, '<I', 0, 'CONF') for o in (4, 8, 12, 16, 20, 24)],
    '13 over a limit': [patched(4, '<I', 257, 'CONF'), patched(43, 'B', 33, 'CONF'), patched(44, '<H', 300, 'CONF'),
                        patched(12, '<H', 6), patched(12, '<H', 0), patched(12, '<H', 65535)],
    '14 unknown value': [patched(0, '<H', 1, 'CONF'), patched(40, 'B', 9, 'CONF'), patched(42, 'B', 1, 'CONF'),
                         patched(56, 'B', 7, 'CONF'), patched(57, 'B', 7, 'CONF'), patched(8, '<H', 2)],
    '15 wrong type': [patched(46, 'B', 1, 'CONF'), patched(74, 'B', 2, 'CONF'), patched(78, 'B', 2, 'CONF')],
    '16 duplicates': [repeated_entry(), swapped_entries(), without_section('CONF'), without_section('EMBD'),
                      without_section('LRND'), entry('CARD', 0, '4s', b'XXXX'), entry('CARD', 0, '4s', b'TOKN')],
    '17 holes and tails': [good() + b'\0', good() + bytes(103), good() + bytes(105), gap_byte(), padding_byte(),
                           entry('CARD', 8, '<Q', 5), entry('CONF', 8, '<Q', 0), entry('CONF', 4, '<I', 1)],
    '19 size over the file': [entry(n, 8, '<Q', 10**6) for n in ('CONF', 'LRND', 'CARD', 'EMBD')],
    '21 text': cards(b'{"a": "\0"}', b'{"a": "\xff"}', b'{"a": "\x1b[2J"}', b'{"a": "\xc0\x80"}', b'{"a": "\xed\xa0\x80"}',
                     b'{"a": "\xf4\x90\x80\x80"}', b'{"a": "\xc2\x85"}', b'{"a": "\x7f"}', b'[]', b'{', b'{"a": "\r"}',
                     b'{' + b' ' * 65535 + b'}'),
    '22 tokens': [good(vocab=vocab, tokens=bytes(section)) for _, _, _, section, vocab in bad_tokens.cases()],
    '24 content behind good checksums': [patched(47, 'B', 1, 'CONF'), patched(52, '<I', 1, 'CONF')],
    '25 not finite': [patched(o, '<I', v, 'CONF') for o in (28, 48) for v in (0x7fc00000, 0x7f800000, 0xff800000, 0)]
                     + [patched(0, '<I', 0x7fc00000, 'LRND'), patched(0, '<I', 0x7f800000, 'LRND')]
                     + [patched(192, '<I', v, 'EMBD') for v in (0x7fc00000, 0x7f800000, 0xbf800000, 0x7f000000)]
                     + [patched(320, '<I', 0x7f800000, 'EMBD')],
    '28 signatures': [signature(flip(o)) for o in (-1, -40, -64, -65, -90, -97, -104)],
}


def truncations():
    data = container.write(container.read(good()), signer=(b'12345678', bytes(range(32))))
    return [data[:n] for n in list(range(0, len(data) - 104, 7)) + list(range(len(data) - 103, len(data), 5))]


def refused(check, command, path, what):
    done = checks.command(*command, path)
    text = done.stderr.decode(errors='replace')
    ok = done.returncode == 1 and done.stdout == b'' and text.count('\n') == 1 and str(path) in text
    check.that(ok, '%s: %s: exit %d, %r' % (what, command[0], done.returncode, text[:300]))


@pytest.mark.parametrize('data', [good(vocab=270, tokens=bad_tokens.GOOD), good()], ids=['tokens', 'bytes'])
def test_the_file_that_is_spoilt_is_good(folder, data):
    path = folder / 'good.smol'
    path.write_bytes(data)
    assert checks.command(smoltool, 'verify', path).returncode == 0


@pytest.mark.parametrize('what', bad)
def test_refused(folder, check, what):
    path = folder / 'bad.smol'
    for i, data in enumerate(bad[what]):
        path.write_bytes(data)
        refused(check, (smoltool, 'verify'), path, '%s, file %d' % (what, i))
    refused(check, (smolrun, '-n', '1', '-p', 'a'), path, what)
    refused(check, (smoltool, 'inspect'), path, what)


def test_truncated(folder, check):
    path = folder / 'bad.smol'
    for data in truncations():
        path.write_bytes(data)
        refused(check, (smoltool, 'verify'), path, '18 cut to %d bytes' % len(data))
