"""Other servers around the same model: one small file each, as their documentation shows it."""
