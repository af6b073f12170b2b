"""For meson.build, two lines: the folder below a prefix in which this Python looks for modules, or nothing; and the way from a module
there, or in the folder that Meson proposes, to the library.

    where.py PREFIX LIBDIR PROPOSED [chosen]"""
import os
import site
import sys

prefix, libdir, folder = sys.argv[1:4]
if len(sys.argv) == 4:  # nobody chose
    folder = next((f for f in [*site.getsitepackages(), site.getusersitepackages()] if f.startswith(os.path.join(prefix, 'lib', ''))), folder)
print(folder)
# In /usr the system knows its library, and the module serves every architecture.
print('' if prefix == '/usr' else os.path.relpath(os.path.join(libdir, 'libsmol.so.0'), os.path.join(folder, 'smol')))
