"""What every route shares: keys, bodies, headers, errors. Knows no route, no gateway and no archive."""
