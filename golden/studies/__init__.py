"""What choices of the design cost in accuracy and uncertainty, measured by the golden model."""
