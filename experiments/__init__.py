"""Programs: `python -m experiments.imo`. The only room with flags and with file paths of a run."""
