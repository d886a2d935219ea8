#!python
"""Starts the program, under the name of the package."""

from @MODULE@ import main

main()
