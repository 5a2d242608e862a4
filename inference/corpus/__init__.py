"""Recordings by the hundred thousand: behind addresses, over a cluster, with tables of all of them."""
