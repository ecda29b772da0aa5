"""Small honest implementations of the same work with other libraries."""
