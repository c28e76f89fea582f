"""PyTorch recipes that train the shipped networks, and their export to integers."""
