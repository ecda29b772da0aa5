"""The page: each section makes a view of the findings, which the template of the same name lays out."""
