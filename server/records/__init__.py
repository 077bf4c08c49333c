"""What is kept and told of a system: immutable records, free of any wire or database."""
