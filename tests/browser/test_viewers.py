"""Browsers show files of safe types: opened directly, and embedded by another site."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.browser import samples
from tests.browser.chromium import watch
from tests.browser.site import require_modules
from tests.harness.stack import Stack

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

RED = """async shot => {
  const image = new Image()
  image.src = 'data:image/png;base64,' + shot
  await image.decode()
  const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext('2d')
  pen.drawImage(image, 0, 0)
  const pixels = pen.getImageData(0, 0, image.width, image.height).data
  let red = 0
  for (let i = 0; i < pixels.length; i += 4) if (pixels[i] > 200 && pixels[i + 1] < 60 && pixels[i + 2] < 60) red++
  return red / (pixels.length / 4)
}"""


def red(page: Page) -> float:
    """The share of the window that is red."""
    shot = base64.b64encode(page.screenshot()).decode()
    blank = page.context.new_page()
    share: float = blank.evaluate(RED, shot)
    blank.close()
    return share


def stored(ferry: Stack, body: bytes, name: str) -> str:
    """The address of a stored file's bytes."""
    answer = ferry.upload("normal", body, name)
    assert answer.status_code == 201, answer.text
    return f"{ferry.url}{answer.json()['links']['content']}"


def until_red(page: Page) -> None:
    """Return once the page is painted. The PDF viewer has no event for that."""
    for _ in range(50):
        if red(page) > 0.05:
            return
        page.wait_for_timeout(100)
    pytest.fail(f"only {red(page):.3f} of the window are red")


@pytest.mark.parametrize(("body", "name"), [(samples.pdf(), "a.pdf"), (samples.png(300), "a.png")])
def test_a_file_opened_directly_is_shown(page: Page, ferry: Stack, body: bytes, name: str) -> None:
    said = watch(page)
    page.goto(stored(ferry, body, name))

    until_red(page)
    assert [line for line in said if "Content Security Policy" in line] == []


def test_audio_opened_directly_is_played(page: Page, ferry: Stack) -> None:
    page.goto(stored(ferry, samples.wav(), "a.wav"))
    page.wait_for_function("document.querySelector('video, audio').readyState >= 3")

    assert page.evaluate("document.querySelector('video, audio').duration") == 2


@pytest.mark.parametrize("tag", ["img", "audio", "video"])
def test_a_listed_site_embeds_with_crossorigin(page: Page, ferry: Stack, foreign_site: str, tag: str) -> None:
    address = stored(ferry, samples.png() if tag == "img" else samples.wav(), "a")
    page.goto(f"{foreign_site}/pages/blank.html")

    assert page.evaluate(EMBED, [tag, address, True]) == "shown"
    assert page.evaluate(EMBED, [tag, address, False]) == "refused"


EMBED = """([tag, address, crossorigin]) => new Promise(done => {
  const element = document.createElement(tag)
  if (crossorigin) element.crossOrigin = 'anonymous'
  element.onload = element.onloadedmetadata = () => done('shown')
  element.onerror = () => done('refused')
  element.src = address
  document.body.append(element)
})"""


def test_a_site_that_is_not_listed_embeds_nothing(page: Page, ferry: Stack, foreign_site: str) -> None:
    address = stored(ferry, samples.png(), "a.png")
    page.goto(f"{foreign_site.replace('localhost', '127.0.0.1')}/pages/blank.html")

    assert page.evaluate(EMBED, ["img", address, True]) == "refused"


def test_pdf_js_on_a_listed_site_requests_ranges_it_shows(page: Page, ferry: Stack, foreign_site: str) -> None:
    require_modules()
    address = stored(ferry, samples.pdf(padding=2 << 20), "large.pdf")
    said, ranges = watch(page), []
    page.on("response", lambda answer: ranges.append(answer.status) if answer.url == address else None)
    page.goto(f"{foreign_site}/pages/blank.html")
    page.evaluate(PDF_JS, address)

    until_red(page)
    assert (206 in ranges, said) == (True, [])


PDF_JS = """async address => {
  const pdfjs = await import('/node_modules/pdfjs-dist/build/pdf.min.mjs')
  pdfjs.GlobalWorkerOptions.workerSrc = '/node_modules/pdfjs-dist/build/pdf.worker.min.mjs'
  const options = { url: address, disableAutoFetch: true, disableStream: true, rangeChunkSize: 65536 }
  const shown = await (await pdfjs.getDocument(options).promise).getPage(1)
  const viewport = shown.getViewport({ scale: 1 }), canvas = document.createElement('canvas')
  canvas.width = viewport.width
  canvas.height = viewport.height
  document.body.append(canvas)
  await shown.render({ canvas, canvasContext: canvas.getContext('2d'), viewport }).promise
}"""
