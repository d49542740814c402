"""The line of a key is found wherever TOML lets people write it."""

from sealegs.scenario.toml_shape import lines_of

TEXT = '''\
title = "x"
text = """
not_a_key = 1
[not.a.table]
"""
inline = { a = 1 }
dotted.key = 2

[a]
b = 1
  [a.c]  # indented, with a comment
  "quoted" = 2
[[list]]
d = 1
[[list]]
d = 2
[list.under]
e = 3
'''


def test_every_key_and_table_has_its_line() -> None:
    """Tables, dotted and quoted keys, entries of arrays of tables and what is under them; not text."""
    lines = lines_of(TEXT)

    assert lines == {
        ("title",): 1,
        ("text",): 2,
        ("inline",): 6,
        ("dotted", "key"): 7,
        ("a",): 9,
        ("a", "b"): 10,
        ("a", "c"): 11,
        ("a", "c", "quoted"): 12,
        ("list", 0): 13,
        ("list", 0, "d"): 14,
        ("list", 1): 15,
        ("list", 1, "d"): 16,
        ("list", 1, "under"): 17,
        ("list", 1, "under", "e"): 18,
    }
