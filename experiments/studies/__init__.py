"""Tables and figures of the paper, one module each."""
