"""What a network is: description, model file, data, command line."""
