"""The tests that other people's clients bring along."""
