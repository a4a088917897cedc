"""Settings: frozen dataclasses, their fields by name, as JSON in a run's folder and back."""
