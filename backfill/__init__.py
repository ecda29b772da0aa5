"""Bulk classification of archives: read any format, ask the model, write the answers, carry on after any stop.

``inputs`` finds and opens what is to be read, ``formats`` turns it into rows, ``carriers`` takes texts to a model and
brings answers, ``outputs`` writes, ``report`` tells what was found; ``engine`` joins them.
"""
