"""What waits, what goes to which worker next, what is refused. Knows no HTTP."""
