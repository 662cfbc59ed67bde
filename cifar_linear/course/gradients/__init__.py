"""What is wrong with a gradient that a student has written."""
