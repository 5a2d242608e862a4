"""toolbox.utils.addresses: nothing of an address that may be a secret is shown."""

from __future__ import annotations

import pytest

from toolbox.utils.addresses import address_problem, hide_secrets, public_address

SECRET = "s3cret"
ADDRESSES = {
    "https://user:s3cret@example.org/x.zip": "https://example.org/x.zip",
    "https://s3cret@example.org:8443/a/b": "https://example.org:8443/a/b",
    "https://example.org/x.zip?token=s3cret&v=1": "https://example.org/x.zip",
    "https://example.org/x.zip#s3cret": "https://example.org/x.zip",
    "https://user:s3cret@[::1]:80/x?s3cret": "https://[::1]:80/x",
    "https://user:a/s3cret@example.org/x": "https://example.org/x",
    "https://user:s3cret?b@example.org/x": "https://example.org/x",
    "https://user:s3cret#b@example.org/x": "https://example.org/x",
    "https://user:s3cret@b@example.org/x": "https://example.org/x",
    "HTTP://USER:s3cret@EXAMPLE.ORG": "HTTP://EXAMPLE.ORG",
    "--gdrive-url=https://user:s3cret@example.org/x.zip": "--gdrive-url=https://example.org/x.zip",
}


@pytest.mark.parametrize(("address", "shown"), ADDRESSES.items(), ids=range(len(ADDRESSES)))
def test_secrets_are_taken_out_of_an_address(address: str, shown: str) -> None:
    assert public_address(address) == shown
    said = hide_secrets(f"cannot download '{address}': {address} is gone, see {address}?x=s3cret.", [address])
    assert SECRET not in said and "is gone" in said


@pytest.mark.parametrize("word", ["https://example.org/a@b.zip", "http://h:8080/a@b", "ecg_data", "a@b", "C:/x?y", ""])
def test_other_words_stay(word: str) -> None:
    assert public_address(word) == word


def test_paths_in_messages_of_libraries_lose_their_query() -> None:
    said = "HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /x.zip?key=s3cret (Caused by x)"
    assert hide_secrets(said) == said.replace("?key=s3cret", "")
    assert (
        hide_secrets("404 Client Error: x for url: https://u:s3cret@h/x?s3cret")
        == "404 Client Error: x for url: https://h/x"
    )


@pytest.mark.parametrize(
    "text", ["ftp://h/x", "h/x", "", "https://", "https://h:port/x", "https://[::1/x", "https://h:0/"]
)
def test_what_is_no_address(text: str) -> None:
    assert address_problem(text) == "give an address that begins with https:// or http://"
    assert address_problem("https://user:word@h:8080/x") == ""
