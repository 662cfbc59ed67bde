"""Images and labels: where they come from, how they are split, standardised and cut into batches."""
