"""Models: what loads them, runs them and judges by their answers. Importing the package loads none of it."""
