"""Forms on disk: files written whole, locks, arrays and tables as bytes. Knows nothing of runs."""
