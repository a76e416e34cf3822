"""What people touch: the command line, the report and the dashboard. Nothing here computes a number of its own."""
