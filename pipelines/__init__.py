"""The night, one step a file, and the command line that starts it."""
