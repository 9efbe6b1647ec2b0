"""The scales for scores, one a file; the first look into `NORMALISERS` finds them."""
