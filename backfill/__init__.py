"""Bulk classification of archives: read any format, ask the model, write the answers, carry on after any stop.

``inputs`` finds and opens what is to be read, ``formats`` turns it into rows, ``clients`` takes texts to a model and
brings answers, ``outputs`` writes, ``report`` tells what was found; ``engine`` joins them. What they share lies below
them: ``table`` (rows, columns, values), ``files``, and ``run`` (plan, counts, facts of sentences).

Imports go one way: ``archive``, then the modules here, then ``clients``, ``inputs``, ``outputs`` and ``report``, then
``formats``, then ``run``, ``files`` and ``table``.
"""
