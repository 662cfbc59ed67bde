"""From the cells of a grid to run folders and a table: ``folder`` remembers, ``run`` trains, ``table`` chooses."""
