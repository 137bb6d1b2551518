"""What the API below ``/api/v1/`` can be asked for, and does: one table of operations for each subject."""
