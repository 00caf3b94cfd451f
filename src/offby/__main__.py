"""`python -m offby`: the command line."""

from offby.cli import main

main()
