"""For courses: what others have written and handed in, held against what it should be."""
