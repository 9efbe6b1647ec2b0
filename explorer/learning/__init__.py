"""What teaches: lessons, missions, a class, and the library of papers and words."""
