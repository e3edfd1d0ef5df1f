"""The runner of pages finds what it is there to find."""

from pathlib import Path

import pytest

from tests.docs.page import Block, PageError, blocks, broken_links, run_python

PAGE = """# Sums

```python
a = 1
```

```python
print(a + 1)
```

```text
2
```

```bash
make test
```

[there](there.md#part), [not there](nowhere.md), [outside](https://example.org/x)
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "there.md").write_text("")
    path = tmp_path / "sums.md"
    path.write_text(PAGE)
    return path


def test_blocks_carry_their_language_and_line(page: Path) -> None:
    found = blocks(page)
    assert [block.language for block in found] == ["python", "python", "text", "bash"]
    assert found[1] == Block("python", "print(a + 1)\n", 8)


def test_blocks_run_as_one_program(page: Path) -> None:
    assert run_python(page) == 2


@pytest.mark.parametrize(
    ("old", "new"), [("\n2\n", "\n3\n"), ("a = 1", "print('more')\na = 1"), ("```text", "```json")]
)
def test_output_that_is_not_on_the_page_is_reported(page: Path, old: str, new: str) -> None:
    page.write_text(PAGE.replace(old, new))
    with pytest.raises(PageError, match=r"sums\.md:\d+: the block prints"):
        run_python(page)


def test_an_exception_shows_the_line_of_the_page(page: Path) -> None:
    page.write_text(PAGE.replace("print(a + 1)", "print(b + 1)"))
    with pytest.raises(NameError) as caught:
        run_python(page)
    assert caught.traceback[-1].lineno + 1 == 8


def test_links_that_lead_nowhere_are_found(page: Path) -> None:
    assert broken_links(page) == ["nowhere.md"]
