"""Where the library is, from this folder. An installation has its own; a checkout has what it builds."""
LIBRARY = '@LIBRARY@'
