"""Images and labels: where they come from, how they are split and cut into batches."""
