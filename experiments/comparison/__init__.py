"""What `experiments.tables` does: the paper's three tables, each row trained and scored alike."""
