"""Results of a run for people: terminal, pages, tables, TensorBoard."""
