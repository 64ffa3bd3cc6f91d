"""What people touch: the command line.

In come recordings and questions; out come progress, answers and errors that say what to do. The
commands (`cli.py`, the file to open first) speak HTTP through `client.py`: to a running server, to
one they start for the purpose, or to the API in this process.
"""
