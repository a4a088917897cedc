"""The networks. registry.py has all kinds of them; a room each for the networks of a kind."""
