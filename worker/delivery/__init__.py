"""What is written where: results, replies, the status of the worker."""
