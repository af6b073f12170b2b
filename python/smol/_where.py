"""Where the library is, from this folder. An installation has its own; a checkout has SMOL_LIBRARY."""
LIBRARY = '@LIBRARY@'
