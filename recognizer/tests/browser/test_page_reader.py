"""The page reads strokes by itself, as the server does, and falls back to it."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from mlcore import paths
from mlcore.reading.bundle import open_bundle
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.preprocess import at_full_contrast, normalize
from mlcore.reading.rasterise import Points, rasterise
from mlcore.reading.specimens import specimens
from mlcore.training.data import load_mnist
from recognizer.tests.browser.conftest import Site
from recognizer.tests.browser.test_draw_page import read_digit, the_seven
from recognizer.tests.conftest import record_figure
from recognizer.tests.drawings import as_sent, every_pen_drawing, template_drawings
from tools.browser import draw_by_finger, draw_by_mouse, page_reads

WORKER = """async () => {
    const { worker, bundleUrl, model, ...runtime } =
        document.getElementById('draw').dataset;
    const started = new Worker(worker);
    const waiting = new Map();
    started.onmessage = ({ data: { id, result, error } }) => {
        if (error) throw new Error(error);
        waiting.get(id)(result);
    };
    window.call = (message) => new Promise((resolve) => {
        const id = waiting.size + 1;
        waiting.set(id, resolve);
        started.postMessage({ id, ...message });
    });
    const bundle = await (await fetch(bundleUrl.replace('MODEL', model))).json();
    await call({ load: { runtime: { ...runtime }, bundle } });
}"""
READ_ALL = """async (drawings) => {
    const floats = (text) => new Float32Array(
        Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
    const readings = [];
    for (const { strokes, pen_width: penWidth, image } of drawings) {
        const read = image ? { image: floats(image) } : { strokes, penWidth };
        const { digit, refusal, probabilities } = await call({ read });
        readings.push([digit, refusal, probabilities]);
    }
    return readings;
}"""
BATCH = 250


@pytest.fixture
def worker(site: Site, desk: BrowserContext) -> Page:
    """A page with a reading worker of the test's own."""
    page = site.open(desk)
    page_reads(page)
    page.evaluate(WORKER)
    return page


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """The reader of the site's model in Python."""
    return Recogniser(open_bundle(paths.REPOSITORY / "mlcore" / "starter"))


def compare(
    page: Page, given: Iterator[tuple[dict[str, Any], Reading]], *, name: str
) -> None:
    """Read drawings in the page; hold the readings to the bars, and note them."""
    gaps: list[float] = []
    same = 0
    while batch := list(islice(given, BATCH)):
        answers = page.evaluate(READ_ALL, [drawing for drawing, _ in batch])
        for (digit, refusal, probabilities), (_, expected) in zip(
            answers, batch, strict=True
        ):
            likeliest = int(np.argmax(probabilities))
            same += (digit, refusal, likeliest) == (
                expected.digit,
                expected.refusal,
                int(np.argmax(expected.probabilities)),
            )
            gaps.append(
                float(np.abs(np.subtract(probabilities, expected.probabilities)).max())
            )
    record_figure(
        f"page and server read {len(gaps):,} {name}: {same / len(gaps):.3%} the same; "
        f"probabilities differ by at most {max(gaps):.1e}"
    )
    assert same / len(gaps) >= 0.9995
    assert np.quantile(gaps, 0.999) <= 0.01


def read_both_ways(
    drawings: Sequence[dict[str, Any]], recogniser: Recogniser
) -> Iterator[tuple[dict[str, Any], Reading]]:
    for drawing in drawings:
        strokes = [np.array(stroke, np.float32) for stroke in drawing["strokes"]]
        bitmap = rasterise(strokes, pen_width=drawing["pen_width"])
        yield drawing, recogniser.read(bitmap)


class TestReadingsOfPenDrawings:
    __test__ = paths.pen_folder() is not None  # None: nothing to collect

    def test_of_pen_drawings_are_the_servers(
        self, worker: Page, recogniser: Recogniser, is_full: bool
    ) -> None:
        """Every tenth; at full length, all."""
        chosen = islice(every_pen_drawing(), None, None, 1 if is_full else 10)
        drawings = [as_sent(strokes) for strokes in chosen]

        compare(worker, read_both_ways(drawings, recogniser), name="pen drawings")


class TestReadings:
    @pytest.mark.journey
    def test_of_templates_are_the_servers(
        self, worker: Page, recogniser: Recogniser
    ) -> None:
        drawings = template_drawings()

        compare(worker, read_both_ways(drawings, recogniser), name="of our templates")

    def test_of_mnist_are_the_servers(
        self, worker: Page, recogniser: Recogniser
    ) -> None:
        images = load_mnist().test.images

        def given() -> Iterator[tuple[dict[str, Any], Reading]]:
            for levels in images:
                bitmap = at_full_contrast(levels)
                image = base64.b64encode(normalize(bitmap).tobytes()).decode()
                yield {"image": image}, recogniser.read(bitmap)

        assert len(images) == 10_000
        compare(worker, given(), name="MNIST test images")

    def test_are_explained_and_shown_as_the_servers(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page_reads(page)
        draw_by_mouse(page, the_seven().strokes)
        page.locator("#why").click()
        expect(page.locator("#seen-why")).to_be_visible()
        drawn = page.evaluate(PICTURES)
        kept = read_kept(page)
        address = f"{site.url}/api/v1/submissions/{kept}/?include=seen,why"
        prediction = desk.request.get(address).json()["prediction"]

        served = page.evaluate(PIXELS, [prediction["seen"], prediction["why"]])

        assert drawn[0] == served[0]
        off = np.abs(np.subtract(drawn[1], served[1]))
        assert off.max() <= 2  # grey levels of 255, where opacity was rounded


PIXELS = """async (urls) => Promise.all(urls.map(async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = new OffscreenCanvas(28, 28);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return [...context.getImageData(0, 0, 28, 28).data];
}))"""
PICTURES = f"""async () => ({PIXELS})([
    document.getElementById('seen').src, document.getElementById('seen-why').src])"""


def read_kept(page: Page) -> str:
    kept = page.locator("#kept[data-submission]")
    expect(kept).to_be_visible(timeout=10_000)
    return kept.get_attribute("data-submission") or ""


def calls_of(page: Page) -> list[str]:
    """Note each later call to the API, as method and path."""
    calls: list[str] = []
    page.on(
        "request",
        lambda request: (
            calls.append(f"{request.method} {request.url}")
            if "/api/" in request.url
            else None
        ),
    )
    return calls


class TestPage:
    @pytest.mark.journey
    def test_calls_the_server_only_to_store(
        self, site: Site, phone: BrowserContext
    ) -> None:
        page = site.open(phone)
        page_reads(page)
        calls = calls_of(page)

        with page.expect_request("**/submissions/") as stored:
            draw_by_finger(page, the_seven().strokes)
            expect(page.locator("#digit")).to_have_text("7")
            assert calls == []
        assert read_digit(page) == "7"

        assert calls == [
            f"POST {site.url}/api/v1/me/",  # a newcomer gets the cookie
            f"POST {site.url}/api/v1/submissions/",
        ]
        told = json.loads(stored.value.post_data or "")["page_reading"]
        model = page.locator("#draw").get_attribute("data-model")
        assert told == {"digit": 7, "refusal": None, "model": model}
        assert site.complaints[page] == []

    def test_shows_the_servers_reading_if_it_differs(
        self, site: Site, desk: BrowserContext
    ) -> None:
        def with_another_answer(route: Route) -> None:
            answer = route.fetch()
            stored = answer.json()
            stored["prediction"]["digit"] = 1
            route.fulfill(response=answer, json=stored)

        page = site.open(desk)
        page_reads(page)
        page.route("**/api/v1/submissions/", with_another_answer)

        draw_by_mouse(page, the_seven().strokes)
        expect(page.locator("#digit")).to_have_text("7")

        expect(page.locator("#digit")).to_have_text("1")
        expect(page.locator("#feedback")).to_contain_text("Is it 1?")

    def test_takes_up_another_model_with_the_next_stored_drawing(
        self, site: Site, desk: BrowserContext
    ) -> None:
        newer = "ab" * 32

        def by_the_newer(route: Route) -> None:
            answer = route.fetch()
            stored = answer.json()
            stored["prediction"]["model"] = newer
            route.fulfill(response=answer, json=stored)

        page = site.open(desk)
        page_reads(page)
        page.route("**/api/v1/submissions/", by_the_newer)

        with page.expect_request(f"**/reader/{newer}/"):
            draw_by_mouse(page, the_seven().strokes)
        # This site has no such model, so the server reads.
        with page.expect_request("**/readings/**"):
            draw_by_mouse(page, the_seven().strokes[:1])

    @pytest.mark.parametrize("device", ["desk", "phone"])
    def test_never_jumps(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        context: BrowserContext = request.getfixturevalue(device)
        draw = {"desk": draw_by_mouse, "phone": draw_by_finger}[device]
        page = site.open(context)
        page_reads(page)
        blank = places(page)

        draw(page, the_seven().strokes)
        assert places(page) == blank
        assert read_digit(page) == "7"
        assert places(page) == blank
        page.get_by_role("button", name="Yes").click()
        expect(page.get_by_text("Saved as correct")).to_be_visible()
        assert places(page) == blank
        page.locator("#clear").click()
        two = [s for s in specimens() if s.digit == 1][:2]
        for one, side in zip(two, (-70, 70), strict=True):
            draw(page, [narrowed(stroke, side) for stroke in one.strokes])
        expect(page.locator("#digit")).to_have_text("11")
        expect(page.get_by_text("Is it 11?")).to_be_visible()
        assert places(page) == blank
        page.locator("#clear").click()
        draw(page, [np.array([[60, 60 + y], [220, 60 + y]]) for y in range(0, 160, 20)])
        expect(page.locator("#refusal")).not_to_have_text("")
        assert places(page) == blank
        context.set_offline(True)
        page.locator("#keep").click()
        expect(page.locator("#retry")).to_be_visible()
        assert places(page) == blank


def narrowed(stroke: Points, side: int) -> Points:
    """Return a stroke at 0.4 of its width, so far from the middle of the sheet."""
    return np.array(stroke * [0.4, 1] + [84 + side, 0], np.float32)


def places(page: Page) -> Any:
    """Return where the parts of the page are: top and height."""
    return page.evaluate(
        """() => ['#sheet', '.controls', '.notices', '#answer', '.verdict', '#bars']
            .map((part) => document.querySelector(part))
            .map((part) => [part.offsetTop, part.offsetHeight])"""
    )


def abort(route: Route) -> None:
    route.abort()


def cut_short(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.body()[:50_000])


def altered(route: Route) -> None:
    answer = route.fetch()
    body = bytearray(answer.body())
    body[len(body) // 2] ^= 1
    route.fulfill(response=answer, body=bytes(body))


NO_WEBASSEMBLY = "delete globalThis.WebAssembly"
SAVE_DATA = """Object.defineProperty(navigator, 'connection', {
    value: { saveData: true } })"""


class TestServerReads:
    @pytest.mark.parametrize(
        ("what", "how"),
        [
            ("**/*.wasm", abort),
            ("**/*.wasm", cut_short),
            ("**/litert.js", cut_short),
            ("**/model.tflite", abort),
            ("**/model.tflite", cut_short),
            ("**/model.tflite", altered),
            ("**/reader/worker.js", abort),
            ("**/reader/service.js", abort),
        ],
    )
    def test_if_a_download_fails(
        self,
        site: Site,
        desk: BrowserContext,
        what: str,
        how: Callable[[Route], None],
    ) -> None:
        desk.route(what, how)
        page = site.open(desk)
        page.wait_for_timeout(1500)

        self.is_read_by_the_server(page)

        desk.unroute_all(behavior="wait")  # a slow download may still be on its way

    @pytest.mark.parametrize("where", [NO_WEBASSEMBLY, SAVE_DATA])
    def test_where_the_page_should_not(
        self, site: Site, desk: BrowserContext, where: str
    ) -> None:
        desk.add_init_script(where)
        page = desk.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site.url)
        page.wait_for_timeout(1000)

        self.is_read_by_the_server(page)

        assert not [url for url in asked if "/reader/" in url or "litert" in url]

    def test_if_the_worker_dies(self, site: Site, desk: BrowserContext) -> None:
        desk.add_init_script(
            """globalThis.Worker = class extends Worker {
                postMessage(message) {
                    super.postMessage(message.read ? { id: message.id } : message);
                }
            }"""
        )
        page = site.open(desk)
        page_reads(page)

        self.is_read_by_the_server(page)

    def is_read_by_the_server(self, page: Page) -> None:
        with page.expect_request("**/readings/**"):
            draw_by_mouse(page, the_seven().strokes)
        assert read_digit(page) == "7"
        expect(page.locator("#problem")).to_have_text("")
