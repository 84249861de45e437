"""Each function here breaks the product in one way, in the process that calls it."""
