"""`python -m edge`."""

from edge.cli.app import main

main()
