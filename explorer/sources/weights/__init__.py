"""Files of weights: what they hold, safely read, and which of it belongs to a network."""
