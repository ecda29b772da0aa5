"""What readers and writers share: rows, columns, the types of columns, and values as text or JSON."""
