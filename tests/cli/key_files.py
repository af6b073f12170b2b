"""Key files with a password, made without smoltool and minisign."""
import base64
import hashlib
import struct

import nacl.signing


def key_pair(password):
    """Both files of a key as minisign would write them, had it less scrypt: 32768 operations in 16 MB, which are N = 1024, r = 8, p = 1. What it
    has takes a gigabyte and seconds each time, and is tested in test_smoltool and tests/unit/format/test_key."""
    pair, number, salt = nacl.signing.SigningKey(bytes(range(32))), b'somekey.', bytes(32)
    secret = number + bytes(pair) + bytes(pair.verify_key)
    secret += hashlib.blake2b(b'Ed' + secret, digest_size=32).digest()
    hidden = bytes(x ^ y for x, y in zip(secret, hashlib.scrypt(password, salt=salt, n=1024, r=8, p=1, dklen=len(secret))))
    files = b'EdScB2' + salt + struct.pack('<QQ', 32768, 1 << 24) + hidden, b'Ed' + number + bytes(pair.verify_key)
    return ['untrusted comment: a key\n%s\n' % base64.b64encode(f).decode() for f in files]
