"""The formats that a classified archive is written in, one module each."""
