"""Charts as Plotly figures: pure functions of plain data."""
