"""The topology as Cytoscape draws it: pure functions of plain data."""
