"""What an epoch needs."""
