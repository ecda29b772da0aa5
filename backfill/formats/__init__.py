"""The formats that archives come in, one module each."""
