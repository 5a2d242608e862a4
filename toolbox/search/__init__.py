"""A search for the best flags: its space, its study in a database, its page and the winner's recipe."""
