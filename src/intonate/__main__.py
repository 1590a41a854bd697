"""`python -m intonate` is `intonate`."""

from intonate.cli import main

main()
