"""The service's processes: started, watched and ended together."""
