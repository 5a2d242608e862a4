"""The page of an annotated recording as a person uses it, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
import wfdb
from playwright.sync_api import Browser, Page, expect

from loaders.io.annotations import write_beats
from tests.browser import needs_chromium, opened
from tests.toolbox.holter.signals import packed
from toolbox.holter.annotation import AnnotatedRecording
from toolbox.holter.numbers import ReportedBeats, report_numbers
from toolbox.holter.page import write_page
from toolbox.holter.trace import INPUT_FS
from toolbox.utils.aami import CLASS_NAMES
from toolbox.utils.aami import LETTERS as LETTERS_OF

pytestmark = needs_chromium

FS = 257.0  # Hz, the recording's own: none of its samples is one of the page's
SECONDS = 400
LETTERS = "NSVFQ"


def beat_times() -> np.ndarray:
    """(n,) s: beats 0.8 s apart with 12 s of silence from 100 s on."""
    times = np.arange(0.6, SECONDS - 0.5, 0.8)
    return times[(times < 100) | (times > 112)]


def letters_of(n: int) -> list[str]:
    """V couplets now and then, an S here and there."""
    return ["V" if k % 20 in (8, 9) else "S" if k % 50 == 15 else "N" for k in range(n)]


def signal_of(times: np.ndarray, letters: list[str], height: float) -> np.ndarray:
    """(samples,) mV at 360 Hz: narrow beats, and broad ones where they are V."""
    t = np.arange(SECONDS * INPUT_FS) / INPUT_FS
    signal = 0.02 * np.sin(2 * np.pi * 0.3 * t)
    for time, letter in zip(times.tolist(), letters, strict=True):
        near = slice(max(0, int((time - 0.5) * INPUT_FS)), int((time + 0.5) * INPUT_FS))
        width = 0.045 if letter == "V" else 0.012
        signal[near] += height * (1 - 2 * (letter == "V")) * np.exp(-0.5 * ((t[near] - time) / width) ** 2)
    return signal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page and the annotation file of the same beats."""
    folder = tmp_path_factory.mktemp("page")
    times = beat_times()
    letters = letters_of(len(times))
    sample = np.rint(times * FS).astype(np.int64)
    probabilities = np.full((len(times), 5), 0.02, dtype=np.float32)
    probabilities[np.arange(len(times)), [LETTERS.index(letter) for letter in letters]] = 0.92
    begins = np.append(True, np.diff(times) > 10)
    skipped = [(round(104 * FS), round(106 * FS), "flat")]
    trace, other = (packed(signal_of(times, letters, height)) for height in (1.0, 0.6))
    annotated = AnnotatedRecording(sample, begins, probabilities, CLASS_NAMES, FS, round(SECONDS * FS), skipped, trace)
    summary = {
        "recording": "night", "lead": "MLII", "leads": [{"name": "MLII"}, {"name": "V1"}], "fs": FS, "unit": "mV",
        "fingerprint": "f", **annotated.summary(), "warnings": ["a warning"],
        **report_numbers(ReportedBeats.of(annotated, datetime(2024, 3, 5, 23, 58, 20))),
    }  # fmt: skip
    write_page(folder / "night.ecg.html", summary, {"Model": "m"}, annotated, {"V1": other})
    write_beats(folder / "night.ecg", sample, annotated.symbols, FS, skipped, annotated.rhythm_marks())
    return folder


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    with opened(browser, folder / "night.ecg.html") as page:
        yield page


def settle(page: Page) -> None:
    """Wait until the strip is drawn."""
    page.wait_for_selector("#strip[aria-busy=false]")


def status(page: Page) -> str:
    return page.inner_text("#status")


def click_beat(page: Page, k: int) -> None:
    """Go to beat k and click on it."""
    time = float(beat_times()[k])
    page.fill("#time", f"{time - 1:.2f}")
    page.press("#time", "Enter")
    settle(page)
    box = page.locator("#strip").bounding_box()
    assert box is not None
    per_second = 25 * 96 / 25.4
    third = (box["width"] - 2) / 3  # a time that is gone to stands there
    page.mouse.click(box["x"] + 1 + third + per_second, box["y"] + 100)
    settle(page)


def saved(page: Page, which: str, folder: Path) -> Path:
    """Press a button that saves; where the file went."""
    with page.expect_download() as download:
        page.click(f"[data-correct={which}]")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def ink(page: Page) -> int:
    """How many pixels of the strip have the colour of the trace."""
    return page.evaluate("""() => {
        const canvas = document.getElementById("strip"), pen = canvas.getContext("2d");
        const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) count += data[i] < 60 && data[i + 1] < 60 && data[i + 2] < 60;
        return count;
    }""")


@pytest.mark.parametrize("width", [1280, 800, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_width_and_draws_the_signal(browser: Browser, folder: Path, width: int, scheme: str) -> None:
    with opened(browser, folder / "night.ecg.html", width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert ink(page) > 2 * width
        assert page.inner_text("[role=note] >> nth=1").endswith("a warning")


def test_leads_are_hidden_and_shown(page: Page) -> None:
    both = page.locator("#strip").bounding_box()
    page.uncheck("#leads label >> text=V1")
    settle(page)
    one = page.locator("#strip").bounding_box()
    assert both is not None and one is not None and both["height"] > one["height"] > 400  # 4 rows, 3 lines
    page.keyboard.press("n")
    settle(page)
    assert "· V, ventricular" in status(page)  # keys work on
    page.locator("#leads label >> text=MLII").click()
    assert page.is_checked("#leads label >> text=MLII")  # the last one stays


def test_keys_work_without_a_click(page: Page) -> None:
    page.keyboard.press("n")
    settle(page)
    assert status(page).startswith("0:00:07.00 · 23:58:27 · V, ventricular ectopic · 92 %")
    page.keyboard.press(".")
    page.keyboard.press(".")
    settle(page)
    assert status(page).startswith("0:00:08.60 · 23:58:28 · N, normal")
    page.keyboard.press("p")
    settle(page)
    assert status(page).startswith("0:00:07.80 · 23:58:27 · V")
    page.keyboard.press("+")
    settle(page)
    assert page.inner_text("#scale") == "37.5 mm/s · 10 mm/mV"


def test_a_letter_in_the_field_of_the_time_moves_nothing(page: Page) -> None:
    before = status(page)
    page.focus("#time")
    page.keyboard.press("n")
    settle(page)
    assert status(page) == before
    page.keyboard.press("Enter")
    assert page.get_attribute("#time", "aria-invalid") == "true"
    assert status(page) == "n: expected h:mm:ss from 0:00:00 to 0:06:40"


def test_episodes_are_filtered_sorted_and_gone_to(page: Page) -> None:
    rows = page.locator("#episode-rows tr")
    couplets = sum(letters_of(len(beat_times()))[k : k + 2] == ["V", "V"] for k in range(len(beat_times()) - 1))
    assert rows.count() == couplets + 1 and page.inner_text("#episode-count") == f"{couplets + 1} episodes"
    page.click("#episode-heads button >> text=Length")
    assert "No signal or asystole" in rows.first.inner_text() or "Pause" in rows.first.inner_text()
    assert page.get_attribute("#episode-heads th >> nth=2", "aria-sort") == "descending"
    page.click("#episode-kinds button >> text=Ventricular couplet")
    assert rows.count() == couplets and page.inner_text("#episode-count") == f"{couplets} of {couplets + 1} episodes"
    page.click("#episode-heads button >> text=Start")
    page.click("#episode-heads button >> text=Start")
    rows.first.locator("button").click()
    settle(page)
    last = max(k for k, letter in enumerate(letters_of(len(beat_times()))) if letter == "V" and k % 20 == 8)
    expected = int(beat_times()[last])
    assert status(page).startswith(f"0:{expected // 60:02d}:{expected % 60:02d}")


def test_what_is_saved_unchanged_is_the_annotation_file_itself(page: Page, folder: Path, tmp_path: Path) -> None:
    path = saved(page, "save", tmp_path)
    assert path.name == "night.corrected" and path.read_bytes() == (folder / "night.ecg").read_bytes()


def test_beats_are_named_deleted_inserted_and_saved(page: Page, folder: Path, tmp_path: Path) -> None:
    sample = np.rint(beat_times() * FS).astype(np.int64)
    click_beat(page, 30)
    assert "· N, normal" in status(page)
    page.keyboard.press("v")
    settle(page)
    assert "V, ventricular ectopic · corrected (the network: N, 92 %)" in status(page)
    click_beat(page, 28)  # a V
    page.keyboard.press("Shift+N")
    click_beat(page, 40)
    page.keyboard.press("Delete")
    settle(page)
    page.fill("#time", "109.2")  # amid the silence
    page.press("#time", "Enter")
    page.click("[data-correct=S]")
    expect(page.locator("#status")).to_contain_text("S, supraventricular ectopic · corrected (inserted)")
    assert page.inner_text("#corrected").startswith("4 changes: 2 named, 1 deleted, 1 inserted; kept in this browser")

    changes = json.loads(saved(page, "list", tmp_path).read_text())
    inserted = changes["changes"][-1]["sample"]
    assert abs(inserted / FS - 109.2) <= 0.061
    assert changes == {
        "format": 1, "recording": "night", "fs": 257, "samples": 102800, "annotator": "ecg",
        "changes": [
            {"action": "name", "sample": int(sample[28]), "from": "V", "to": "N"},
            {"action": "name", "sample": int(sample[30]), "from": "N", "to": "V"},
            {"action": "delete", "sample": int(sample[40]), "from": "N"},
            {"action": "insert", "sample": inserted, "to": "S"},
        ],
    }  # fmt: skip
    saved(page, "save", tmp_path)
    read = wfdb.rdann(str(tmp_path / "night"), "corrected")
    expected = dict(zip(sample.tolist(), letters_of(len(sample)), strict=True))
    expected |= {int(sample[28]): "N", int(sample[30]): "V", inserted: "S"}
    del expected[int(sample[40])]
    others = {round(104 * FS): "~", round(106 * FS): "~"}
    assert dict(zip(read.sample.tolist(), read.symbol, strict=True)) == expected | others
    assert read.sample.tolist() == sorted(expected | others) and read.fs == 257


def test_changes_are_undone_redone_kept_and_discarded(page: Page, folder: Path) -> None:
    click_beat(page, 30)
    page.keyboard.press("f")
    page.keyboard.press("q")
    settle(page)
    assert "· Q, unknown" in status(page)
    page.keyboard.press("u")
    settle(page)
    assert "· F, fusion" in status(page)
    page.keyboard.press("u")
    settle(page)
    assert page.inner_text("#corrected") == "No changes." and page.is_disabled("[data-correct=undo]")
    page.keyboard.press("r")
    settle(page)
    page.reload()
    page.wait_for_selector("html[data-ready=yes]")
    assert page.inner_text("#corrected").startswith("1 change: 1 named")
    click_beat(page, 30)
    assert "· F, fusion · corrected" in status(page)
    page.click("[data-correct=discard]")
    assert page.inner_text("#corrected") == "No changes."


def test_a_family_is_named_at_once(page: Page, folder: Path, tmp_path: Path) -> None:
    letters = letters_of(len(beat_times()))
    cards = page.locator(".family")
    assert cards.count() == 2
    narrow = len(letters) - letters.count("V")
    assert f"{narrow} beats" in cards.first.inner_text() and f"S {letters.count('S')}" in cards.first.inner_text()
    cards.nth(1).get_by_role("button", name="Next beat of family 2").click()
    settle(page)
    assert "· V, ventricular" in status(page)
    cards.nth(1).get_by_role("button", name="Call all beats of family 2 F").click()
    assert f"{letters.count('V')} changes" in page.inner_text("#corrected")
    assert f"F {letters.count('V')}" in cards.nth(1).inner_text()
    saved(page, "save", tmp_path)
    read = wfdb.rdann(str(tmp_path / "night"), "corrected")
    assert read.symbol.count("F") == letters.count("V") and read.symbol.count("V") == 0
    page.click("[data-correct=undo]")
    assert page.inner_text("#corrected") == "No changes."


def test_a_list_of_changes_is_opened_again(page: Page, tmp_path: Path) -> None:
    sample = round(float(beat_times()[30]) * FS)
    content = {
        "format": 1, "recording": "night", "fs": 257, "samples": 102800, "annotator": "ecg",
        "changes": [{"action": "name", "sample": sample, "from": "N", "to": "V"}],
    }  # fmt: skip
    path = tmp_path / "list.json"
    for change, answer in (
        ({}, "list.json: 1 change made."),
        ({"recording": "day"}, "list.json: this list is of another recording: its recording is day, not night"),
        ({"changes": [{"action": "delete", "sample": 5}]}, "does not fit these beats"),
    ):
        path.write_text(json.dumps({**content, **change}))
        page.set_input_files("#open", path)
        expect(page.locator("#corrected")).to_contain_text(answer)


def test_a_time_of_day_is_gone_to(page: Page) -> None:
    page.select_option("#time-kind", "o'clock")
    for written, where in (("0:01", "0:02:40.00 · 00:01:00"), ("23:59:30", "0:01:10.00 · 23:59:30")):
        page.fill("#time", written)
        page.press("#time", "Enter")
        settle(page)
        assert status(page).startswith(where)
    page.fill("#time", "12:00")
    page.press("#time", "Enter")
    assert status(page) == "12:00: expected h:mm:ss from 23:58:20 to 00:05:00"


def test_the_numbers_of_a_report_are_on_the_page(page: Page) -> None:
    hours = page.locator('section:has(h2:text-is("Hours")) tr')
    assert hours.count() == 3  # the head, one hour and all
    assert hours.nth(1).inner_text().split()[:2] == ["23:58", f"{len(beat_times())}"]
    hours.nth(1).locator("button").click()
    variability = page.locator('section:has(h2:text-is("Heart-rate variability")) tr')
    assert [text.split("\t")[0] for text in variability.all_inner_texts() if text.startswith("SDNN,")] == ["SDNN, ms"]
    captions = [text.split(" ", 1)[1] for text in page.locator("figcaption").all_inner_texts()]
    assert captions[0].startswith("Longest RR interval: 0.80 s") and captions[1].startswith(
        "Fastest minute: 75 per min"
    )


def test_it_prints_in_true_millimetres_and_on_white_from_a_dark_screen_too(page: Page, tmp_path: Path) -> None:
    page.emulate_media(color_scheme="dark")
    page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    dots = 100  # per inch
    widths = []
    for sheet in pypdfium2.PdfDocument(tmp_path / "page.pdf"):
        assert sheet.get_width() > sheet.get_height()
        picture = sheet.render(scale=dots / 72).to_numpy().astype(int)
        assert (picture.max(axis=2) < 100).mean() < 0.1
        blue, red = sorted((0, 2), key=lambda k: picture[..., k].mean())  # BGR or RGB; the paper is red
        paper = picture[..., red] - picture[..., blue] > 2
        paper = paper[paper.sum(axis=1) > 500]
        if len(paper) > 100:
            across = np.flatnonzero(paper.sum(axis=0) > 20)
            widths.append(round((across[-1] - across[0] + 1) / dots * 25.4))
    assert len(widths) >= 2 and set(widths) == {250}  # 10 s at 25 mm/s: the strip that moves and those below


def write(path: Path, letters: str, seconds: float, classes: tuple[str, ...] = CLASS_NAMES) -> Path:
    """A page of beats 0.8 s apart, without a fingerprint, numbers or further leads."""
    names = [LETTERS_OF[name] for name in classes]
    probabilities = np.full((len(letters), len(classes)), 0.02, dtype=np.float32)
    probabilities[np.arange(len(letters)), [names.index(letter) for letter in letters]] = 0.9
    sample = 100 + 200 * np.arange(len(letters))
    annotated = AnnotatedRecording(
        sample, np.arange(len(letters)) == 0, probabilities, classes, 250.0, round(seconds * 250), [],
        packed(np.zeros(round(min(seconds, 60) * INPUT_FS))),
    )  # fmt: skip
    summary = {"recording": "r", "lead": "II", "fs": 250.0, "unit": "mV", **annotated.summary(), "warnings": []}
    write_page(path, summary, {}, annotated)
    return path


def test_rows_of_a_thousand_episodes_come_as_they_are_scrolled_to(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, write(tmp_path / "r.ecg.html", "NNNNVV" * 1000, 4800)) as page:
        rows = page.locator("#episode-rows tr")
        assert rows.count() == 200 and page.inner_text("#episode-count") == "1,000 episodes"
        for expected in (400, 600, 800, 1000):
            page.evaluate("document.getElementById('episode-scroll').scrollTop = 1e6")
            expect(rows).to_have_count(expected)


@pytest.mark.parametrize(("letters", "classes"), [("N", CLASS_NAMES), ("NANAAN", ("Normal", "Abnormal"))])
def test_few_beats_and_two_classes(browser: Browser, tmp_path: Path, letters: str, classes: tuple[str, ...]) -> None:
    with opened(browser, write(tmp_path / "r.ecg.html", letters, 6, classes), width=390) as page:
        assert status(page) == f"{len(letters)} beat{'s' * (len(letters) > 1)}, {letters.count('A')} of them not normal"
        page.keyboard.press(".")
        page.keyboard.press("v")
        settle(page)
        assert "V, ventricular ectopic · corrected (the network: N" in status(page)
        read = wfdb.rdann(str(saved(page, "save", tmp_path).with_suffix("")), "corrected")
        assert [symbol for symbol in read.symbol if symbol != "+"] == ["V", *letters[1:].replace("A", "Q")]


def test_long_intervals_and_texts_are_written_as_wfdb_reads_them(page: Page, tmp_path: Path) -> None:
    annotations = [
        (0, "N", 0, ""), (1023, "V", 0, ""), (2047, "S", 0, ""), (72_047, "+", 0, "(AFIB"), (72_048, "~", -1, ""),
        (3_000_000_000, "Q", 0, ""), (3_000_000_000, '"', 0, "lead V1"), (3_000_000_001, "F", 0, ""),
    ]  # fmt: skip
    content = page.evaluate("([list, fs]) => [...annotationBytes(list, fs)]", [annotations, 257.5])
    (tmp_path / "r.own").write_bytes(bytes(content))
    read = wfdb.rdann(str(tmp_path / "r"), "own")
    texts = [text.rstrip("\0") for text in read.aux_note]
    columns = zip(read.sample.tolist(), read.symbol, read.subtype.tolist(), texts, strict=True)
    assert list(columns) == annotations and read.fs == 257.5


def test_the_address_of_the_page_may_name_a_time(page: Page, browser: Browser, folder: Path) -> None:
    page.evaluate("location.hash = '#t=200.5'")
    settle(page)
    expect(page.locator("#status")).to_contain_text("3:20.5")
    context = browser.new_context()
    fresh = context.new_page()
    fresh.goto((folder / "night.ecg.html").as_uri() + "#t=300.25")
    fresh.wait_for_selector("html[data-ready=yes]")
    expect(fresh.locator("#status")).to_contain_text("5:00.2")
    fresh.goto((folder / "night.ecg.html").as_uri() + "#t=4000")  # behind the end: it stays where it is
    expect(fresh.locator("#status")).to_contain_text("5:00.2")
    context.close()
