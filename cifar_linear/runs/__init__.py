"""What a run folder holds, and which run folders there are."""
