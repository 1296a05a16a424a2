"""Tables: rows of a CSV, columns of any table, and what becomes of those that hold text."""
