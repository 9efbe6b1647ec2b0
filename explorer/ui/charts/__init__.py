"""Charts from plain numbers: data frames or arrays in, Altair charts out."""
