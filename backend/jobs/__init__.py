"""Background processes of either sort: start, watch, stop, adopt.

Knows processes, not the database: the table of jobs comes in as a ``table.JobTable``.
"""
