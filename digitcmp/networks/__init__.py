"""The networks: architectures, and the one or two branches that are made of them."""
