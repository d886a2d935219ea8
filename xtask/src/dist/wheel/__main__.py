"""`python -m`: starts the program."""

from . import main

main()
