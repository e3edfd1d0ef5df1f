"""The page at ``/``, used as people use it: through its buttons, in a real browser."""

import csv
import io
import json
import math
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.e2e.browser import Visit, running_chromium
from tests.e2e.running_service import RunningService, running_service, wait_until

PRINCIPLES = json.loads(
    (Path(__file__).parents[2] / "service" / "http" / "page" / "principles.json").read_text()
)
VIEWS = ["predict", "many", "packing", "shapes", "agreement"]
KEY = "open-sesame"
UNNAMED = """() => [...document.querySelectorAll('button, input, select, textarea, svg[tabindex]')]
  .filter((each) => !(each.textContent.trim() || each.getAttribute('aria-label')
    || each.labels?.length)).map((each) => each.outerHTML.slice(0, 120))"""
DOUBLE_IDS = """() => [...document.querySelectorAll('[id]')].map((each) => each.id)
  .filter((id, index, all) => all.indexOf(id) !== index)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, service: RunningService) -> Iterator[Visit]:
    """A visit that must end without a complaint and without having asked anybody else."""
    visiting = Visit(browser, service.url, accept_downloads=True)
    yield visiting
    visiting.context.close()
    assert visiting.complaints == []
    assert [url for url in visiting.requested if not url.startswith((service.url, "blob:"))] == []


def test_files_come_with_a_strict_policy_and_are_asked_for_once(service: RunningService) -> None:
    for path in ("/", "/page/main.js", "/page/principles.json"):
        first = service.client.get(path)
        assert first.status_code == 200
        policy = first.headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        again = service.client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert service.client.get("/page/nothing.js").status_code == 404
    assert service.client.get("/page/..%2fmetrics.py").status_code == 404


def score(service: RunningService, text: str, label: str) -> float:
    answer = service.predict(text).json()
    return float(next(entry["score"] for entry in answer if entry["label"] == label))


def test_a_text_gets_its_label_latency_and_words(visit: Visit, service: RunningService) -> None:
    text = "The cast is wonderful, the rest is forgettable."
    page = visit.open()
    page.get_by_label("A text, in English").fill(text)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#words-table tbody tr")).to_have_count(6)
    best = service.predict(text).json()[0]
    assert visit.text("#verdict-label") == best["label"]
    assert visit.text("#verdict-score") == f"{best['score'] * 100:.1f} %"
    tokens = service.predict(text).headers["x-tokens"]
    assert visit.text("#latency-facts").startswith(f"{tokens} tokens · in a micro-batch of 1")
    stages = visit.text("#latency-stages").split()
    assert [word for word in stages if word.isalpha() and word != "ms"] == [
        *("tokenise", "queue", "transport", "inference")
    ]

    def log_odds(share: float) -> float:
        return math.log(share / (1 - share))

    words = text.split()
    weights = {
        word: log_odds(best["score"])
        - log_odds(score(service, " ".join(words[:place] + words[place + 1 :]), best["label"]))
        for place, word in enumerate(words)
    }
    expected = sorted(weights, key=lambda word: -abs(weights[word]))[0]
    first = page.locator("#words-table tbody tr").first
    assert first.locator("th").inner_text() == expected
    shown = float(first.locator("td").last.inner_text().replace("−", "-"))
    assert shown == pytest.approx(weights[expected], abs=0.02)


def test_examples_and_the_keyboard_ask_too(visit: Visit) -> None:
    page = visit.open()
    page.get_by_role("button", name="A cold one").click()
    expect(page.locator("#verdict-label")).to_have_text("negative")
    page.get_by_label("A text, in English").fill("Wonderful, warm and funny. I loved it.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#verdict-label")).to_have_text("positive")
    expect(page.get_by_role("status").first).to_contain_text("positive")


def test_a_csv_is_classified_sorted_filtered_and_downloaded(visit: Visit) -> None:
    texts = [f'He said "good, number {number}"' for number in range(90)] + ["Awful.\nJust awful."]
    file = io.StringIO()
    csv.writer(file).writerows([["id", "review"], *([str(n), t] for n, t in enumerate(texts))])
    page = visit.open("many")
    content = file.getvalue().encode()
    page.locator("#many-file").set_input_files(
        {"name": "reviews.csv", "mimeType": "text/csv", "buffer": content}
    )
    expect(page.locator("#many-file-name")).to_have_text("reviews.csv, 91 rows")
    assert page.locator("#many-column").evaluate("select => select.selectedOptions[0].text") == (
        "review"
    )
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#many-status")).to_contain_text("91 texts in")
    expect(page.locator("#many-count")).to_have_text("91 of 91")

    page.get_by_role("button", name="Score").click()
    expect(page.locator("th:has(button[data-key=score])")).to_have_attribute(
        "aria-sort", "descending"
    )
    shares = [
        float(share.replace("\u00a0%", ""))
        for share in page.locator("#many-table td:last-child").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    page.get_by_label("Filter by words").fill("awful")
    expect(page.locator("#many-count")).to_have_text("1 of 91")
    page.get_by_label("Filter by words").fill("")
    page.get_by_label("Filter by label").select_option("negative")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text(encoding="utf-8"))))
    assert {row["label"] for row in rows} == {"negative"}
    assert all(row["text"] == texts[int(row["number"]) - 1] for row in rows)
    assert "Awful.\nJust awful." in [row["text"] for row in rows]


def test_packing_shows_what_pytorch_packs(visit: Visit, service: RunningService) -> None:
    lines = ["Superb.", "Not for me, though the music is lovely.", "Go and see it!"]
    page = visit.open("packing")
    page.locator("#packing-text").fill("\n".join(lines))
    page.get_by_role("button", name="Pack", exact=True).click()
    expect(page.locator("#packing-status")).to_contain_text("3 texts")
    lengths = [len(t) for t in service.client.post("/tokenize", json={"inputs": lines}).json()]
    padded = torch.zeros(3, max(lengths), 1)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        padded, torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    assert packed.sorted_indices is not None
    assert visit.text("#packing-sizes").split("\n") == [
        f"batch_sizes = {packed.batch_sizes.tolist()}",
        f"sorted_indices = {packed.sorted_indices.tolist()}",
    ]
    cells = 3 * max(lengths)
    saved = 100 * (1 - sum(lengths) / cells)
    assert f"{saved:.1f} %" in visit.text("#packing-facts .good")
    assert page.locator("#packing-padded .padding").count() == cells - sum(lengths)
    page.locator("#packing-packed .size").nth(1).hover()
    assert page.locator("#packing-padded .lit").count() == 1 + 3, "the step's name and every text"


def test_shapes_and_counts_are_those_of_the_contract(visit: Visit) -> None:
    page = visit.open("shapes")
    for case in PRINCIPLES["shapes"]:
        given = {
            **{name: case[name] for name in ("cell", "batch", "time", "layers", "directions")},
            "input": case["input_size"],
            "hidden": case["hidden_size"],
            "batchFirst": case["batch_first"],
        }
        shown = page.evaluate(
            "async (given) => (await import('/page/shapes.js')).contract(given)", given
        )
        for name in ("input", "output", "states", "parameters"):
            assert shown[name] == case[name], case
        assert shown["textbookParameters"] == case["textbook_parameters"]


def test_sliders_pointer_and_keyboard_explore_shapes(visit: Visit) -> None:
    page = visit.open("shapes")
    assert visit.text("#shapes-parameters") == "480"
    expect(page.get_by_text("state = (h_n, c_n), a tuple of two tensors")).to_be_visible()
    page.get_by_label("GRU").check()
    expect(page.get_by_text("state = h_n, a single tensor")).to_be_visible()
    expect(page.locator("svg[data-name=c_n]")).to_have_count(0)
    page.get_by_label("LSTM").check()
    page.get_by_label("Length").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("figure:has(svg[data-name=input])")).to_contain_text("(3, 6, 4)")
    page.get_by_label("batch_first").uncheck()
    expect(page.locator("figure:has(svg[data-name=input])")).to_contain_text("(6, 3, 4)")

    page.locator("svg[data-name=output] rect[data-at='0,2,1']").hover()
    expect(page.locator("#shapes-caption")).to_contain_text("output[0, 2] is text 2 at step 0")
    assert page.locator("svg[data-name=output] .lit rect").count() == 6
    assert page.locator("svg[data-name=h_n] .lit rect").count() == 4 * 3
    page.locator("svg[data-name=h_n]").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#shapes-caption")).to_contain_text(
        "h_n[3, 0] is layer 1, backward, after it has read all of text 0. "
        "The same numbers stand in output[0, 0, 3:]."
    )
    assert page.locator("svg[data-name=output] .lit rect").count() == 3


def test_agreement_shows_every_number_and_its_arithmetic(visit: Visit) -> None:
    page = visit.open("agreement")
    numbers = page.locator("#agreement-steps button")
    expect(numbers).to_have_count(3 * 6 * 2 * 2)
    for step, number in zip(PRINCIPLES["agreement"]["steps"], range(3), strict=True):
        rows = {**step["gates"], "c": step["c"], "h": step["h"]}
        for name, pair in rows.items():
            for source in ("numpy", "pytorch"):
                label = f"{name}[1] of step {number + 1} in {source}"
                page.get_by_role("button", name=label).click()
                assert f"= {pair[source][1]!r}" in visit.text("#agreement-arithmetic .answer")
    page.get_by_role("button", name="c[0] of step 2 in numpy").click()
    second = PRINCIPLES["agreement"]["steps"][1]
    f, i, g = (second["gates"][gate]["numpy"][0] for gate in "fig")
    expect(page.locator("#agreement-arithmetic")).to_contain_text(
        f"= {f:.4f} · {second['c_before'][0]:.4f} + {i:.4f} · (−{-g:.4f})"
    )


def test_tabs_work_by_keyboard_and_by_address(visit: Visit) -> None:
    page = visit.open("shapes")
    expect(page.get_by_role("tab", name="Shapes")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Shapes").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel", name="Agreement")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel", name="Predict")).to_be_visible()
    assert page.evaluate("location.hash") == "#predict"


def test_the_documentation_tries_every_operation_out(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.url}/docs")
    operations = page.locator("#operations > details")
    predict = operations.filter(has_text="/predict").first
    predict.get_by_role("button", name="a batch", exact=True).click()
    predict.get_by_role("button", name="Send").click()
    expect(predict.locator("pre[role=status]")).to_contain_text("200 OK")
    expect(predict.locator("pre[role=status]")).to_contain_text("server-timing: tokenize")
    expect(predict).to_contain_text("Too much is waiting; refused at once.")
    schema = page.evaluate("async () => (await fetch('/openapi.json')).json()")
    assert operations.count() == sum(len(methods) for methods in schema["paths"].values())
    ready = operations.filter(has=page.get_by_text("/readyz", exact=True))
    ready.locator("> summary").click()
    ready.get_by_role("button", name="Send").click()
    expect(ready.locator("pre[role=status]")).to_contain_text('"status": "ready"')
    infer = operations.filter(has=page.get_by_text("/v2/models/{name}/infer", exact=True))
    infer.locator("> summary").click()
    infer.get_by_role("button", name="Send").click()
    expect(infer.locator("pre[role=status]")).to_contain_text("200 OK")
    assert page.evaluate(UNNAMED) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_system_and_can_be_switched(
    browser: Browser, service: RunningService, scheme: str
) -> None:
    visiting = Visit(browser, service.url, color_scheme=scheme)
    page = visiting.open()
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(246, 245, 241)", "rgb(15, 18, 22)"
    assert page.evaluate(ground) == (light if scheme == "light" else dark)
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(ground) == (dark if scheme == "light" else light)
    page.reload()
    assert page.evaluate(ground) == (dark if scheme == "light" else light), "it is remembered"
    visiting.context.close()


def test_a_phone_shows_every_view_without_scrolling_sideways(
    browser: Browser, service: RunningService
) -> None:
    visiting = Visit(browser, service.url, viewport={"width": 360, "height": 740})
    page = visiting.open()
    page.get_by_role("button", name="A warm one").click()
    expect(page.locator("#words-table tbody tr")).to_have_count(6)
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        expect(page.locator(f"#{view}")).to_be_visible()
        if view == "many":
            page.get_by_role("button", name="Classify").click()
            expect(page.locator("#many-table tbody tr")).to_have_count(5)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
    assert page.evaluate(UNNAMED) == [], "controls without a name for screen readers"
    assert page.evaluate(DOUBLE_IDS) == []
    visiting.context.close()


def test_what_goes_wrong_is_said(browser: Browser) -> None:
    with running_service(api_keys=KEY, max_texts=4, max_queue_texts=4, workers=1) as service:
        headers = {"x-api-key": KEY}
        visiting = Visit(browser, service.url)
        page = visiting.open()
        problem = page.get_by_role("alert")
        expect(problem).to_contain_text("asks for an API key")
        page.locator("#key-value").fill(KEY)
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#model")).to_contain_text("LSTM")
        page.get_by_role("button", name="A warm one").click()
        expect(page.locator("#words-table tbody tr")).to_have_count(6)
        expect(problem).to_be_hidden()

        worker = httpx.get(f"{service.url}/info", headers=headers).json()["workers"][0]["pid"]
        os.kill(worker, signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(1) as threads:
                body = {"inputs": ["a", "b", "c", "d"]}
                url = f"{service.url}/predict"
                waiting = threads.submit(httpx.post, url, json=body, headers=headers, timeout=60)

                def is_busy() -> bool:
                    return service.metric("sentiment_inflight_requests") > 1

                wait_until(is_busy, "the queue is full")
                page.get_by_role("button", name="Predict", exact=True).click()
                expect(problem).to_contain_text("has too much to do")
                os.kill(worker, signal.SIGCONT)
                assert waiting.result().status_code == 200
        finally:
            os.kill(worker, signal.SIGCONT)
        page.get_by_role("button", name="Predict", exact=True).click()
        expect(problem).to_be_hidden()

        visiting.context.set_offline(True)
        page.get_by_role("button", name="Predict", exact=True).click()
        expect(problem).to_contain_text("can't be reached")
        visiting.context.close()
