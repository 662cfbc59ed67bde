"""Run folders: reading, writing, finding and listing them."""
