"""The networks that the paper compares itself with, as far as its efficiency study and ablations need them."""
