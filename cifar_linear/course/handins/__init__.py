"""Which run folders that students have handed in do not hold what they say."""
