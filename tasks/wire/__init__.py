"""What crosses a process border, each thing declared once.

=================  =====================  =========================================  ================================
module             thing                  written by                                 read by
=================  =====================  =========================================  ================================
``entry.py``       prediction or failure  worker                                     everybody
``headers.py``     an envelope's headers  who publishes                              worker
``reply.py``       answers of a batch     worker                                     who waits for them
``resultmeta.py``  a stored result        worker; web process, for cancelled ones    web process, CLI, Celery clients
``progress.py``    how far a job is       worker; web process, for cancelled ones    web process
``status.py``      a worker's status      worker                                     web process, CLI, ``inspect``
=================  =====================  =========================================  ================================

Processes of two releases work side by side while a service is upgraded, so a reader takes what either of them wrote: it
overlooks what it does not know, and has a value for what is missing. ``release.WIRE`` numbers the forms. The number is
in an envelope's headers (what its sender can read), in a result and in a worker's status (what the worker can read).
Replies and progress are written for readers that take no field more; they follow the number of the envelope that they
are about. ``tests/fixtures/wire`` holds what earlier releases wrote.
"""
