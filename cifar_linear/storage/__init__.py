"""Storage: atomic writes, locks, arrays and tables as bytes. Independent of what a run is."""
