"""Every figure in the README, each by one command: `python -m bench NAME`.

In come recordings, conversations or nothing; out come a table and, with --json, JSON, each system
beside its control in the same run. Open the module named like the command.
"""
