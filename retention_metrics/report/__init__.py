"""The report of the command line: what it finds in a file of purchases, and the page that shows it.

Internal: the command line is its door. Files are read in `orders`, worked out in `findings`, and written by `page`.
"""
