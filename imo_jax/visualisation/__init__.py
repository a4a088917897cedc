"""Pictures: numpy arrays in, (height, width, 3) uint8 images out."""
