"""The parts of a service as child processes: started, read and stopped in order."""
