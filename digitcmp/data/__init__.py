"""The data: images of digits, where they come from, and the pairs that a seed draws of them."""
