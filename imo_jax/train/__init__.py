"""Training: objectives, the step, its optimiser, devices, the loop around it."""
