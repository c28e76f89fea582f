"""What the hardware must say, in NumPy: integers only, no notion of time."""
