"""From simulated episodes to a model directory."""
