"""Every figure of the README and of docs is in the kept file that its paragraph or table names."""
