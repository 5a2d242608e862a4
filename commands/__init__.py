"""What commander.py does, one thing at a time; each action gets the flags and gives its result."""
