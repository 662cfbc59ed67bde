"""For courses: what is wrong with a gradient that somebody else has written."""
