"""From run folders to one page: figures, tables and sentences, computed from the folders alone."""
