"""The commands of commander.py, one file for each, named as its flag: run(args) does it and returns its result."""
