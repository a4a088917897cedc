"""What `experiments.semt` does: glaucoma screening from OCT volumes, by SEMT and its rivals."""
