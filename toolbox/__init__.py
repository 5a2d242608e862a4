"""Everything that is neither data nor architecture."""
