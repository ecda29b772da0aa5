"""What is to be read: paths, folders, standard input, packed files."""
