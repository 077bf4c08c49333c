"""Laws of waiting and latency, free of any system."""
