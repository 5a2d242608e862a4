"""CSV files of recordings, however a device wrote them."""
