"""Networks that tell which of two digits is greater: their data, layers and training."""
