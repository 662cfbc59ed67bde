"""From run folders to one page: figures, tables and sentences, computed from nothing but the folders."""
