"""From the cells of a grid to run folders and a table: ``folder`` remembers, ``running`` trains, ``table`` chooses."""
