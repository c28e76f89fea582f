"""Open tools for Xilinx 7-series parts: install them, run them, and what they leave out."""
